package warehouse

import (
	chcolumn "github.com/ClickHouse/clickhouse-go/v2/lib/column"

	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// eventCounts is a session's counts as a Map column takes them: in the order they
// come in, so that the same record is always the same row. A Go map is not.
type eventCounts []*wirepb.EventCount

// Put is what reading a Map would need. Batches only write.
func (eventCounts) Put(any, any) {}

// Iterator is what the driver appends.
func (c eventCounts) Iterator() chcolumn.MapIterator { return &eventIterator{rest: c} }

type eventIterator struct {
	at   *wirepb.EventCount
	rest eventCounts
}

func (i *eventIterator) Next() bool {
	if len(i.rest) == 0 {
		return false
	}
	i.at, i.rest = i.rest[0], i.rest[1:]
	return true
}

func (i *eventIterator) Key() any   { return i.at.Event }
func (i *eventIterator) Value() any { return i.at.Count }
