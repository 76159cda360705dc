package warehouse

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Table names a table of the namespace that rows are streamed into.
type Table string

// The tables that batches write.
const (
	TableTouchpoints Table = "touchpoints"
	TableLate        Table = "late"
	TableRejected    Table = "rejected"
	TableSessions    Table = "sessions"
	TableJourneys    Table = "journeys"
	TableTransitions Table = "transitions"
	TableFrictions   Table = "frictions"
	TableIdentities  Table = "identities"
	TableQuality     Table = "data_quality"
	TableEpochs      Table = "epochs"
)

// Batch gathers rows of one table in columns. It is not safe for concurrent use.
// Strings that are added are kept, not copied, until Reset.
type Batch interface {
	Table() Table
	Len() int
	// Insert writes the rows [from, to) in one INSERT. All rows of a batch should
	// lie in one partition of the table (see MonthOf), so that the insert is one
	// atomic part. It may be repeated.
	Insert(ctx context.Context, conn driver.Conn, namespace string, from, to int) error
	// Reset forgets the rows and keeps the room for as many.
	Reset()
}

// Errors of rows that no table can hold.
var (
	// ErrTime marks a time that a DateTime64(3) column cannot be given.
	ErrTime = errors.New("time is outside the years 1900 to 2261")
	// ErrRange marks a number that says nothing in its column.
	ErrRange = errors.New("number is out of range")
)

// ClickHouse's DateTime64(3) begins with 1900. It ends with 2299, but the driver
// counts nanoseconds in 64 bits, which end in 2262: later ones would be stored as
// another time, silently. In Unix ms.
const (
	minMillis = -2208988800000 // 1900-01-01T00:00:00Z
	maxMillis = 9214646399999  // 2261-12-31T23:59:59.999Z
)

// checkTimes returns ErrTime, naming the field, for the first time that ClickHouse
// could not hold: it would store another one silently.
func checkTimes(names string, millis ...int64) error {
	for i, ms := range millis {
		if ms < minMillis || ms > maxMillis {
			return fmt.Errorf("%s is %d ms: %w", strings.Fields(names)[i], ms, ErrTime)
		}
	}
	return nil
}

// maxScore bounds scores, in hundredths.
const maxScore = 200

// checkScore returns ErrRange for a score that is none: the views show it as a
// decimal of one digit before the point, and would fail as a whole.
func checkScore(hundredths int32) error {
	if hundredths < -maxScore || hundredths > maxScore {
		return fmt.Errorf("sentiment is %d hundredths: %w (want -%d to %d)", hundredths, ErrRange, maxScore, maxScore)
	}
	return nil
}

// MonthOf is the value of a table's partition key for a time in Unix ms: year and
// month in UTC, as toYYYYMM gives it. A time that no table holds has month 0.
func MonthOf(ms int64) int32 {
	if ms < minMillis || ms > maxMillis {
		return 0
	}
	t := time.UnixMilli(ms).UTC()
	return int32(t.Year()*100 + int(t.Month()))
}

// buffer is one column of a batch.
type buffer interface {
	column() string
	slice(from, to int) any
	reset()
}

// col is a column of values that clickhouse-go appends as a whole slice.
type col[T any] struct {
	name   string
	values []T
}

func (c *col[T]) add(v T)                { c.values = append(c.values, v) }
func (c *col[T]) column() string         { return c.name }
func (c *col[T]) slice(from, to int) any { return c.values[from:to] }

// reset drops the references too: they hold the buffers of fetched records.
func (c *col[T]) reset() {
	clear(c.values)
	c.values = c.values[:0]
}

// columns is what the batches have in common. Its first buffer counts the rows.
type columns struct {
	table   Table
	buffers []buffer
	rows    int
}

func (c *columns) Table() Table { return c.table }
func (c *columns) Len() int     { return c.rows }

func (c *columns) Reset() {
	for _, b := range c.buffers {
		b.reset()
	}
	c.rows = 0
}

// column adds a column to a batch under construction.
func column[T any](c *columns, name string) *col[T] {
	b := &col[T]{name: name}
	c.buffers = append(c.buffers, b)
	return b
}

// blockRows is how many rows travel in one block of an insert. Small blocks keep
// the driver's buffers small and warm: a third less CPU than one block of 100,000.
const blockRows = 16384

// insertSettings hold whatever the user's profile says: rows must be stored when
// Send returns, and the blocks of an insert are joined to one part per partition,
// so that it happens whole or not at all. LowCardinality columns travel as plain
// strings, since the driver spends more on making their dictionaries than the
// server does.
func insertSettings() clickhouse.Settings {
	const manyRows, manyBytes = 4 << 20, 1 << 30
	return clickhouse.Settings{
		"async_insert":                           0,
		"low_cardinality_allow_in_native_format": 0,
		"min_insert_block_size_rows":             manyRows,
		"min_insert_block_size_bytes":            manyBytes,
	}
}

func (c *columns) Insert(ctx context.Context, conn driver.Conn, namespace string, from, to int) error {
	if from < 0 || to > c.rows || from >= to {
		return fmt.Errorf("insert into %s: no rows [%d, %d) in a batch of %d", c.table, from, to, c.rows)
	}
	names := make([]string, len(c.buffers))
	for i, b := range c.buffers {
		names[i] = b.column()
	}
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(insertSettings()))
	//nolint:clickhouselint // Close would complete the insert with the blocks sent so far: Abort drops it
	batch, err := conn.PrepareBatch(ctx, "INSERT INTO "+namespace+"."+string(c.table)+" ("+strings.Join(names, ", ")+")")
	if err != nil {
		return fmt.Errorf("insert into %s.%s: %w", namespace, c.table, err)
	}
	if err := c.fill(batch, from, to); err != nil {
		_ = batch.Abort() // drops the connection, and with it the insert
		return fmt.Errorf("insert into %s.%s: %w", namespace, c.table, err)
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("insert into %s.%s: %w", namespace, c.table, err)
	}
	return nil
}

// fill sends all blocks but the last, which it leaves in the batch.
func (c *columns) fill(batch driver.Batch, from, to int) error {
	for {
		end := min(from+blockRows, to)
		for i, b := range c.buffers {
			if err := batch.Column(i).Append(b.slice(from, end)); err != nil {
				return fmt.Errorf("column %s: %w", b.column(), err)
			}
		}
		if end == to {
			return nil
		}
		if err := batch.Flush(); err != nil {
			return err
		}
		from = end
	}
}
