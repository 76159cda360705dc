package warehouse

import (
	"fmt"
	"math"
	"time"

	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// IdentityBatch gathers rows of the table identities.
type IdentityBatch struct {
	columns
	identifier *col[string]
	owners     *col[[][]any] // tuples (from_at, message_id, user_id)
	epoch      *col[uint64]
	frozen     *col[bool]
	revision   *col[uint64]
}

// NewIdentityBatch makes an empty batch.
func NewIdentityBatch() *IdentityBatch {
	b := &IdentityBatch{columns: columns{table: TableIdentities}}
	c := &b.columns
	b.identifier = column[string](c, "identifier")
	b.owners = column[[][]any](c, "map")
	b.epoch = column[uint64](c, "epoch")
	b.frozen = column[bool](c, "frozen")
	b.revision = column[uint64](c, "revision")
	return b
}

// Add adds a row. The table has one partition only.
func (b *IdentityBatch) Add(i *wirepb.Identity) error {
	owners := make([][]any, len(i.Map))
	for n, l := range i.Map {
		if err := checkTimes("from_at", l.FromMs); err != nil {
			return fmt.Errorf("map entry %d: %w", n, err)
		}
		owners[n] = []any{time.UnixMilli(l.FromMs).UTC(), l.MessageId, l.UserId}
	}
	b.identifier.add(i.Identifier)
	b.owners.add(owners)
	b.epoch.add(i.Epoch)
	b.frozen.add(i.Frozen)
	b.revision.add(i.Revision)
	b.rows++
	return nil
}

// QualityBatch gathers rows of the table data_quality.
type QualityBatch struct {
	columns
	minute                                                     *col[time.Time]
	source                                                     *col[string]
	partition                                                  *col[int32]
	accepted, touchpoints, duplicates, rejected, late, rekeyed *col[uint64]
	revision                                                   *col[uint64]
}

// NewQualityBatch makes an empty batch.
func NewQualityBatch() *QualityBatch {
	b := &QualityBatch{columns: columns{table: TableQuality}}
	c := &b.columns
	b.minute = column[time.Time](c, "minute")
	b.source = column[string](c, "source")
	b.partition = column[int32](c, "partition")
	b.accepted = column[uint64](c, "accepted")
	b.touchpoints = column[uint64](c, "touchpoints")
	b.duplicates = column[uint64](c, "duplicates")
	b.rejected = column[uint64](c, "rejected")
	b.late = column[uint64](c, "late")
	b.rekeyed = column[uint64](c, "rekeyed")
	b.revision = column[uint64](c, "revision")
	return b
}

// Add adds a row. Its partition is MonthOf(q.MinuteMs).
func (b *QualityBatch) Add(q *wirepb.Quality) error {
	if q.MinuteMs < 0 || q.MinuteMs/1000 > math.MaxUint32 { // DateTime
		return fmt.Errorf("minute is %d ms: time is outside the years 1970 to 2106", q.MinuteMs)
	}
	b.minute.add(time.UnixMilli(q.MinuteMs).UTC())
	b.source.add(q.Source)
	b.partition.add(q.Partition)
	b.accepted.add(q.Accepted)
	b.touchpoints.add(q.Touchpoints)
	b.duplicates.add(q.Duplicates)
	b.rejected.add(q.Rejected)
	b.late.add(q.Late)
	b.rekeyed.add(q.Rekeyed)
	b.revision.add(q.Revision)
	b.rows++
	return nil
}

// EpochBatch gathers rows of the table epochs.
type EpochBatch struct {
	columns
	step      *col[string]
	epoch     *col[uint32]
	partition *col[int32]
	from      *col[int64]
	completed *col[int64]
}

// NewEpochBatch makes an empty batch.
func NewEpochBatch() *EpochBatch {
	b := &EpochBatch{columns: columns{table: TableEpochs}}
	c := &b.columns
	b.step = column[string](c, "step")
	b.epoch = column[uint32](c, "epoch")
	b.partition = column[int32](c, "partition")
	b.from = column[int64](c, "from_at")
	b.completed = column[int64](c, "completed_at")
	return b
}

// Add adds a row of a rebuild of everything. The table has one partition only.
func (b *EpochBatch) Add(e *wirepb.Epoch) error { return b.AddFrom(e, minMillis) }

// AddFrom adds a row of a rebuild of what arrived at a time, Unix ms, or later.
func (b *EpochBatch) AddFrom(e *wirepb.Epoch, from int64) error {
	if err := checkTimes("completed_at from_at", e.CompletedMs, from); err != nil {
		return err
	}
	b.step.add(e.Step)
	b.epoch.add(e.Epoch)
	b.partition.add(e.Partition)
	b.from.add(from)
	b.completed.add(e.CompletedMs)
	b.rows++
	return nil
}

// Rejected is a record that could not be used.
type Rejected struct {
	Origin         string // topic/partition/offset
	Reason         string // short
	Error          string // a sentence
	Source         string // where known
	ReceivedMillis int64
	Key            []byte
	Value          []byte // the record, whole
	Revision       uint64 // 0: its writer knows no epochs
}

// RejectedBatch gathers rows of the table rejected.
type RejectedBatch struct {
	columns
	origin, reason, text, source *col[string]
	received                     *col[int64]
	key, value                   *col[[]byte]
	revision                     *col[uint64]
}

// NewRejectedBatch makes an empty batch.
func NewRejectedBatch() *RejectedBatch {
	b := &RejectedBatch{columns: columns{table: TableRejected}}
	c := &b.columns
	b.origin = column[string](c, "origin")
	b.reason = column[string](c, "reason")
	b.text = column[string](c, "error")
	b.source = column[string](c, "source")
	b.received = column[int64](c, "received_at")
	b.key = column[[]byte](c, "record_key")
	b.value = column[[]byte](c, "value")
	b.revision = column[uint64](c, "revision")
	return b
}

// Add adds a row. It takes any row: there is no table for those that this one
// refuses, so a time that cannot be stored becomes the nearest that can.
func (b *RejectedBatch) Add(r *Rejected) {
	b.origin.add(r.Origin)
	b.reason.add(r.Reason)
	b.text.add(r.Error)
	b.source.add(r.Source)
	b.received.add(min(max(r.ReceivedMillis, minMillis), maxMillis))
	b.key.add(r.Key)
	b.value.add(r.Value)
	b.revision.add(r.Revision)
	b.rows++
}
