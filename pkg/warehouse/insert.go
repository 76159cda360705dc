package warehouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Inserts go through ch-go, the protocol library that clickhouse-go is made of:
// clickhouse-go takes values, as Go slices, and copies each twice more on the way,
// where ch-go takes a column as it travels.

// blockRows is how many rows travel in one block of an insert. Small blocks keep the
// buffers that hold and compress them small and warm.
const blockRows = 16384

// ErrAltered marks a table that is not as the migrations made it.
var ErrAltered = errors.New("the table was altered by hand: restore the column, and the sink goes on")

// insertSettings hold whatever the user's profile says: rows must be stored when the
// insert returns, and its blocks are joined to one part per partition, so that it
// happens whole or not at all. LowCardinality columns travel as plain strings, since
// making their dictionaries costs more here than in the server.
func insertSettings(t Table) []ch.Setting {
	const manyRows, manyBytes = "4194304", "1073741824"
	list := []ch.Setting{
		{Key: "async_insert", Value: "0"},
		{Key: "distributed_foreground_insert", Value: "1"}, // on a cluster the rows are on their hosts when the insert returns
		{Key: "insert_deduplicate", Value: "0"},            // a row that was deleted and comes again is no copy
		{Key: "low_cardinality_allow_in_native_format", Value: "0"},
		{Key: "min_insert_block_size_rows", Value: manyRows},
		{Key: "min_insert_block_size_bytes", Value: manyBytes},
	}
	if t == TableTouchpoints {
		// Hardly any two of its rows have one key: merges may look for them, and
		// FINAL does. Sessions and journeys come in many revisions at once.
		list = append(list, ch.Setting{Key: "optimize_on_insert", Value: "0"})
	}
	return list
}

func (c *columns) Insert(ctx context.Context, conn driver.Conn, namespace string, from, to int) error {
	if from < 0 || to > c.rows || from >= to {
		return fmt.Errorf("insert into %s: no rows [%d, %d) in a batch of %d", c.table, from, to, c.rows)
	}
	native, ok := conn.(*connection)
	if !ok {
		return fmt.Errorf("insert into %s: the connection is not of this package's Open", c.table)
	}
	block := &span{from: from, to: from}
	list := make([]string, len(c.buffers))
	input := make(proto.Input, len(c.buffers))
	for i, b := range c.buffers {
		list[i] = b.column()
		input[i] = proto.InputColumn{Name: b.column(), Data: sent{b, block}}
	}
	err := native.pool.do(ctx, ch.Query{
		Body:     "INSERT INTO " + namespace + "." + string(c.table) + " (" + strings.Join(list, ", ") + ") VALUES",
		Input:    input,
		Settings: insertSettings(c.table),
		OnInput: func(context.Context) error {
			if block.from = block.to; block.from == to {
				return io.EOF
			}
			block.to = min(block.from+blockRows, to)
			return nil
		},
	})
	if err != nil {
		return fmt.Errorf("insert into %s.%s: %w", namespace, c.table, err)
	}
	return nil
}

// span is the rows of the block that travels next.
type span struct{ from, to int }

// sent is a column of the block that travels next.
type sent struct {
	buffer
	*span
}

func (s sent) Type() proto.ColumnType       { return proto.ColumnType(s.kind()) }
func (s sent) Rows() int                    { return s.to - s.from }
func (s sent) EncodeColumn(b *proto.Buffer) { s.encode(b, s.from, s.to) }
func (s sent) WriteColumn(w *proto.Writer)  { w.ChainBuffer(s.EncodeColumn) }

// Infer is told the type of the table's column before the first block. ClickHouse
// converts what it can, so that a column of another type would be filled with other
// values.
func (s sent) Infer(t proto.ColumnType) error {
	if typ := plainType(string(t)); typ != s.kind() {
		return fmt.Errorf("column %s is %s, want %s: %w", s.column(), typ, s.kind(), ErrAltered)
	}
	return nil
}

// plainType is a type without LowCardinality, which the server converts to.
func plainType(t string) string {
	if inner, ok := strings.CutPrefix(t, "LowCardinality("); ok {
		return strings.TrimSuffix(inner, ")")
	}
	return t
}
