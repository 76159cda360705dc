package forget

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/cairnhq/cairn/pkg/warehouse"
	"github.com/cairnhq/cairn/pkg/wire"
)

// Preview is what an erasure would find.
type Preview struct {
	Identifiers []string          `json:"identifiers"` // theirs alone, kind:value as stored
	Shared      []string          `json:"shared"`      // others used them too: erased while they were theirs
	Rows        map[string]uint64 `json:"rows"`        // to be erased, by table
}

// Look says what an erasure would find, and changes nothing.
func Look(ctx context.Context, conn driver.Conn, o Options) (*Preview, error) {
	until := time.Now().UnixMilli() + wire.ClockSlack
	if o.Stop {
		until = wire.Forever
	}
	ctx = warehouse.LongQueries(ctx)
	p, err := warehouse.Discover(ctx, conn, o.Namespace, o.Name.Stored, "", until)
	if err != nil {
		return nil, err
	}
	p.Know(o.Name.Plain)
	rows, err := warehouse.CountPerson(ctx, conn, o.Namespace, &p)
	return &Preview{
		Identifiers: slices.Sorted(slices.Values(p.Whole)), Shared: slices.Sorted(maps.Keys(p.Shared)), Rows: rows,
	}, err
}
