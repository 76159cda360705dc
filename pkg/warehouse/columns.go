package warehouse

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

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
// What is added is copied.
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
