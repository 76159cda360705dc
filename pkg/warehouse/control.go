package warehouse

import (
	"fmt"
	"math"

	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// IdentityBatch gathers rows of the table identities.
type IdentityBatch struct {
	columns
	identifier *textCol
	owners     *ownersCol
	epoch      *intCol[uint64]
	frozen     *boolCol
	revision   *intCol[uint64]
}

// NewIdentityBatch makes an empty batch.
func NewIdentityBatch() *IdentityBatch {
	b := &IdentityBatch{columns: columns{table: TableIdentities}}
	c := &b.columns
	b.identifier = newText(c, "identifier")
	b.owners = newOwners(c, "map")
	b.epoch = newNumber[uint64](c, "epoch", "UInt64")
	b.frozen = newTruth(c, "frozen")
	b.revision = newNumber[uint64](c, "revision", "UInt64")
	return b
}

// Add adds a row. The table has one partition only.
func (b *IdentityBatch) Add(i *wirepb.Identity) error {
	for n, l := range i.Map {
		if err := checkTimes("from_at", l.FromMs); err != nil {
			return fmt.Errorf("map entry %d: %w", n, err)
		}
	}
	b.identifier.add(i.Identifier)
	b.owners.add(i.Map)
	b.epoch.add(i.Epoch)
	b.frozen.add(i.Frozen)
	b.revision.add(i.Revision)
	b.rows++
	return nil
}

// QualityBatch gathers rows of the table data_quality.
type QualityBatch struct {
	columns
	minute                                                     *intCol[uint32]
	source                                                     *textCol
	partition                                                  *intCol[int32]
	accepted, touchpoints, duplicates, rejected, late, rekeyed *intCol[uint64]
	erased, fTouchpoints, fLate, fRejected                     *intCol[uint64]
	revision                                                   *intCol[uint64]
}

// NewQualityBatch makes an empty batch.
func NewQualityBatch() *QualityBatch {
	b := &QualityBatch{columns: columns{table: TableQuality}}
	c := &b.columns
	b.minute = newNumber[uint32](c, "minute", "DateTime('UTC')")
	b.source = newText(c, "source")
	b.partition = newNumber[int32](c, "partition", "Int32")
	b.accepted = newNumber[uint64](c, "accepted", "UInt64")
	b.touchpoints = newNumber[uint64](c, "touchpoints", "UInt64")
	b.duplicates = newNumber[uint64](c, "duplicates", "UInt64")
	b.rejected = newNumber[uint64](c, "rejected", "UInt64")
	b.late = newNumber[uint64](c, "late", "UInt64")
	b.rekeyed = newNumber[uint64](c, "rekeyed", "UInt64")
	b.erased = newNumber[uint64](c, "erased", "UInt64")
	b.fTouchpoints = newNumber[uint64](c, "forgotten_touchpoints", "UInt64")
	b.fLate = newNumber[uint64](c, "forgotten_late", "UInt64")
	b.fRejected = newNumber[uint64](c, "forgotten_rejected", "UInt64")
	b.revision = newNumber[uint64](c, "revision", "UInt64")
	return b
}

// Add adds a row. Its partition is MonthOf(q.MinuteMs).
func (b *QualityBatch) Add(q *wirepb.Quality) error {
	if q.MinuteMs < 0 || q.MinuteMs/1000 > math.MaxUint32 { // DateTime
		return fmt.Errorf("minute is %d ms: time is outside the years 1970 to 2106", q.MinuteMs)
	}
	b.minute.add(uint32(q.MinuteMs / 1000))
	b.source.add(q.Source)
	b.partition.add(q.Partition)
	b.accepted.add(q.Accepted)
	b.touchpoints.add(q.Touchpoints)
	b.duplicates.add(q.Duplicates)
	b.rejected.add(q.Rejected)
	b.late.add(q.Late)
	b.rekeyed.add(q.Rekeyed)
	b.erased.add(q.Erased)
	b.fTouchpoints.add(q.ForgottenTouchpoints)
	b.fLate.add(q.ForgottenLate)
	b.fRejected.add(q.ForgottenRejected)
	b.revision.add(q.Revision)
	b.rows++
	return nil
}

// EpochBatch gathers rows of the table epochs.
type EpochBatch struct {
	columns
	step      *textCol
	epoch     *intCol[uint32]
	partition *intCol[int32]
	from      *intCol[int64]
	completed *intCol[int64]
}

// NewEpochBatch makes an empty batch.
func NewEpochBatch() *EpochBatch {
	b := &EpochBatch{columns: columns{table: TableEpochs}}
	c := &b.columns
	b.step = newText(c, "step")
	b.epoch = newNumber[uint32](c, "epoch", "UInt32")
	b.partition = newNumber[int32](c, "partition", "Int32")
	b.from = moment(c, "from_at")
	b.completed = moment(c, "completed_at")
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
	origin, reason, text, source *textCol
	received                     *intCol[int64]
	key, value                   *textCol
	revision                     *intCol[uint64]
}

// NewRejectedBatch makes an empty batch.
func NewRejectedBatch() *RejectedBatch {
	b := &RejectedBatch{columns: columns{table: TableRejected}}
	c := &b.columns
	b.origin = newText(c, "origin")
	b.reason = newText(c, "reason")
	b.text = newText(c, "error")
	b.source = newText(c, "source")
	b.received = moment(c, "received_at")
	b.key = newText(c, "record_key")
	b.value = newText(c, "value")
	b.revision = newNumber[uint64](c, "revision", "UInt64")
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
	b.key.add(string(r.Key))
	b.value.add(string(r.Value))
	b.revision.add(r.Revision)
	b.rows++
}
