package forget

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/cairnhq/cairn/pkg/warehouse"
)

// Export writes all that is stored of a person as one JSON document: who they are,
// and an array for each table, one row a line.
func Export(ctx context.Context, conn driver.Conn, namespace string, name Name, w io.Writer) error {
	ctx = warehouse.LongQueries(ctx)
	p, err := warehouse.Discover(ctx, conn, namespace, name.Stored, "", math.MaxInt64)
	if err != nil {
		return err
	}
	p.Know(name.Plain)
	out := bufio.NewWriter(w)
	head, err := json.Marshal(map[string]any{
		"name": name.Stored, "exported_at": time.Now().UTC().Format(time.RFC3339), "identifiers": p.Names(), "shared": len(p.Shared),
	})
	if err != nil {
		return err
	}
	_, _ = out.Write(head[:len(head)-1]) // the writer keeps its first error, for Flush
	for _, table := range warehouse.ExportTables() {
		_, _ = fmt.Fprintf(out, ",\n%q:[", table)
		sep := "\n"
		err := warehouse.ExportPerson(ctx, conn, namespace, &p, table, func(row map[string]any) error {
			b, err := json.Marshal(row)
			if err != nil {
				return fmt.Errorf("write a row of %s: %w", table, err)
			}
			_, _ = out.WriteString(sep)
			_, err = out.Write(b)
			sep = ",\n"
			return err
		})
		if err != nil {
			return err
		}
		_, _ = out.WriteString("]")
	}
	_, _ = out.WriteString("}\n")
	return out.Flush()
}
