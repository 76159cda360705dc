package sessionizer

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/cairnhq/cairn/pkg/enrich"
	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// maxRejected bounds what is kept of a rejected record, in bytes.
const maxRejected = stream.MaxRecordBytes / 2

// deviceTask is the device step on one partition of touchpoints.raw: it reads,
// de-duplicates, enriches, assigns sessions and owners, and re-keys.
type deviceTask struct {
	o          *Options
	topics     topics
	partition  int32
	count      int // partitions of touchpoints.raw
	hash       kgo.TopicPartitioner
	state      *stream.State
	enricher   enrich.Enricher
	modelKnown bool // the state names its model
	met        *metrics
	erasures   *wire.Erasures // whose events are held back

	devices cache[*deviceEntry]
	dirty   []*deviceEntry // in the order of their first change
	quality *qualityBook
	timers  timers
	open    openings
	opened  int // sessions, since the last flush
	out     arena
	// Memory that is used again.
	raw         wire.Raw
	pb          wirepb.Touchpoint
	session     wire.SessionRecord
	prefix, row []byte

	tally tally // of the open transaction
}

// deviceEntry is a decoded device and whether it is in dirty.
type deviceEntry struct {
	journey.Device
	dirty bool
}

// Name implements cached.
func (d *deviceEntry) Name() string { return d.Identifier }

// Slim implements cached: nothing of a device can be done without.
func (d *deviceEntry) Slim() {}

func newDeviceTask(o *Options, met *metrics, partition int32, count int, state *stream.State) (*deviceTask, error) {
	t := &deviceTask{
		o: o, topics: newTopics(o.Namespace, state.Epoch()), partition: partition, count: count, state: state, met: met,
		hash:     kgo.StickyKeyPartitioner(nil).ForTopic(""),
		enricher: enrich.Enricher{Secret: o.Secret, Rules: o.Enrich},
		devices:  newCache[*deviceEntry](o.cacheBytes), out: newArena(), tally: newTally(),
		quality: newQualityBook(partition, state, o.from),
	}
	var err error
	if t.modelKnown, err = holdModel(state, o.Model.Name); err != nil {
		return nil, err
	}
	if t.timers, err = newTimers(state); err != nil {
		return nil, err
	}
	if t.erasures, err = loadErasures(o, state); err != nil {
		return nil, err
	}
	t.open, err = newOpenings(state)
	return t, err
}

// Process implements stream.Task.
func (t *deviceTask) Process(r *kgo.Record, out stream.Output) error {
	h := readHeaders(r)
	switch {
	case h.epoch < t.state.Epoch() && (h.typ == wire.TypeLink || h.typ == wire.TypeCopy):
		return nil // made by an earlier epoch: this one makes its own
	case h.typ == wire.TypeLink:
		return t.link(r, &h, out)
	case h.typ == wire.TypeForget:
		return t.forget(r, &h, out)
	case h.typ != "" && h.typ != wire.TypeCopy:
		h.reason, h.err = wire.ReasonBadType, "the header cairn-type is "+strconv.Quote(h.typ)+", which no writer of touchpoints sets"
	case h.typ == wire.TypeCopy && h.origin == "":
		h.reason, h.err = wire.ReasonBadType, "the header cairn-type says copy, but no cairn-origin says of what"
	}
	in := wire.RawRecord{
		Value: r.Value, Partition: r.Partition, Offset: r.Offset, Arrival: r.Timestamp.UnixMilli(),
		Source: h.source, Backfill: h.backfill,
	}
	copied := h.typ == wire.TypeCopy
	if h.replay {
		in.Arrival = cmp.Or(h.receivedAt, in.Arrival) // it arrived when it was rejected
	}
	if copied && h.origin != "" {
		in.Partition, in.Offset, in.Arrival = h.originPartition, h.originOffset, cmp.Or(h.receivedAt, in.Arrival)
	}
	if h.reason != "" { // its writer could not read it, and says why
		in.Arrival = cmp.Or(h.receivedAt, in.Arrival)
		t.raw = wire.Raw{}
		return t.reject(r, &in, &wire.RawError{Reason: h.reason, Err: errors.New(h.err)}, out)
	}
	if err := wire.DecodeRaw(&in, &t.raw); err != nil {
		return t.reject(r, &in, err, out)
	}
	verdict := t.o.Plan.Check(&t.raw.Touchpoint)
	if err := t.offPlan(&verdict, copied); err != nil {
		return t.reject(r, &in, err, out)
	}
	if !copied && (string(r.Key) != t.raw.Key || t.hash.Partition(r, t.count) != int(t.partition)) {
		return t.rekey(r, &in, out)
	}
	t.warn(&verdict)
	return t.apply(copied, out)
}

// apply counts a touchpoint that is where it belongs.
func (t *deviceTask) apply(copied bool, out stream.Output) error {
	tp := &t.raw.Touchpoint
	t.enricher.Apply(tp)
	if by, err := t.heldBack(tp); err != nil || by != nil {
		if err != nil {
			return err
		}
		return t.erase(tp, by, copied, out)
	}
	t.forgotten(tp)
	d, err := t.device(tp.Identifier)
	if err != nil {
		return err
	}
	t.state.Observe(min(tp.Time, tp.Received, t.state.RecordTime()))
	outcome := d.Apply(tp, t.o.Model, t.state.RecordTime())
	q, err := t.quality.at(tp.Received, tp.Source)
	if err != nil {
		return err
	}
	if !copied {
		q.Accepted++
	}
	t.tally.accepted(copied)
	switch outcome {
	case journey.Duplicate:
		q.Duplicates++
		t.tally.duplicates++
		return nil
	case journey.Late, journey.Evicted:
		t.mark(d) // it was seen: a copy that comes after a restart must still be one
		q.Late++
		t.tally.late++
		t.late(tp, outcome, out)
		return nil
	case journey.Counted:
	}
	q.Touchpoints++
	t.tally.touchpoints++
	t.mark(d)
	tp.Revision = t.state.NextRevision()
	wire.Touchpoint(&t.pb, tp)
	t.out.produce(out, t.topics.touchpoints, tp.Owner, &t.pb, t.topics.touchpointHeaders)
	t.linkOthers(tp, out)
	if edge, ok := tp.Alias(); ok {
		for _, to := range [2]string{edge.From, edge.To} {
			join := &journey.Join{To: to, Edges: []journey.Edge{edge}}
			out.Produce(&kgo.Record{Topic: t.topics.touchpoints, Key: []byte(to), Value: wire.EncodeJoin(join), Headers: t.topics.joinHeaders})
		}
	}
	return nil
}

// Reasons of touchpoints that are late.
const (
	lateHorizon = "beyond_horizon"
	lateEvicted = "state_dropped" // a backfill of a time whose state is gone
)

func (t *deviceTask) late(tp *journey.Touchpoint, outcome journey.Outcome, out stream.Output) {
	reason := lateHorizon
	if outcome == journey.Evicted {
		reason = lateEvicted
	}
	tp.Revision = t.state.NextRevision()
	wire.Touchpoint(&t.pb, tp)
	out.Produce(&kgo.Record{
		Topic: t.topics.late, Key: []byte(t.origin(tp)), Value: wire.Marshal(&t.pb), Headers: []kgo.RecordHeader{
			{Key: wire.HeaderReason, Value: []byte(reason)},
			{Key: wire.HeaderSchema, Value: []byte(wire.SchemaTouchpoint)},
		},
	})
}

// origin is topic/partition/offset of a touchpoint's raw record.
func (t *deviceTask) origin(tp *journey.Touchpoint) string {
	return t.topics.raw + "/" + strconv.Itoa(int(tp.RawPartition)) + "/" + strconv.FormatInt(tp.RawOffset, 10)
}

// linkOthers tells the partitions of the touchpoint's further identifiers whose
// they are.
func (t *deviceTask) linkOthers(tp *journey.Touchpoint, out stream.Output) {
	if tp.UserID == "" {
		return
	}
	for i, id := range tp.Others {
		t.sendLink(t.raw.OtherKeys[i], id, journey.Link{Time: tp.Time, MessageID: tp.MessageID, UserID: tp.UserID}, out)
	}
}

// link takes in a link that another partition sent.
func (t *deviceTask) link(r *kgo.Record, h *headers, out stream.Output) error {
	identifier, link, err := wire.DecodeLink(r.Value)
	if err != nil {
		in := wire.RawRecord{Partition: r.Partition, Offset: r.Offset, Arrival: r.Timestamp.UnixMilli(), Source: h.source}
		t.raw = wire.Raw{}
		return t.reject(r, &in, &wire.RawError{
			Reason: wire.ReasonBadType, Err: errors.New("the header cairn-type says link, but the value is none of cairn's"),
		}, out)
	}
	if by := t.erasures.User(link.UserID, link.Time); by != nil { // it was on its way
		if !t.erasures.Shared(identifier, by) {
			return nil
		}
		link.UserID = by.Pseudonym()
	}
	d, err := t.device(identifier)
	if err != nil {
		return err
	}
	d.AddLink(link, t.o.Model)
	t.mark(d)
	return nil
}

// rekey sends a record that came to the wrong partition, or with a key that is
// not its identifier, to where it belongs. Only the original counts as accepted.
func (t *deviceTask) rekey(r *kgo.Record, in *wire.RawRecord, out stream.Output) error {
	tp := &t.raw.Touchpoint
	q, err := t.quality.at(tp.Received, tp.Source)
	if err != nil {
		return err
	}
	q.Accepted++
	q.Rekeyed++
	t.tally.accepted(false)
	t.tally.rekeyed++
	hs := []kgo.RecordHeader{
		{Key: wire.HeaderType, Value: []byte(wire.TypeCopy)},
		{Key: wire.HeaderEpoch, Value: []byte(strconv.Itoa(int(t.state.Epoch())))},
		{Key: wire.HeaderOrigin, Value: []byte(originOf(r))},
		{Key: wire.HeaderReceivedAt, Value: strconv.AppendInt(nil, in.Arrival, 10)},
	}
	hs = handOn(hs, r, wire.HeaderBackfill, wire.HeaderSource, wire.HeaderReplay)
	out.Produce(&kgo.Record{Topic: t.topics.raw, Key: []byte(t.raw.Key), Value: slices.Clone(r.Value), Headers: hs})
	return nil
}

// handOn adds copies of those headers of a record that are named.
func handOn(hs []kgo.RecordHeader, r *kgo.Record, names ...string) []kgo.RecordHeader {
	for _, h := range r.Headers {
		if i := slices.Index(names, h.Key); i >= 0 {
			hs = append(hs, kgo.RecordHeader{Key: names[i], Value: slices.Clone(h.Value)})
		}
	}
	return hs
}

// reject keeps a record that cannot be read whole, with the reason.
//
// It is always accepted, too: a copy was read before it was made, so one that
// cannot be read is nobody's copy.
func (t *deviceTask) reject(r *kgo.Record, in *wire.RawRecord, cause error, out stream.Output) error {
	reason := wire.ReasonBadJSON
	if raw, ok := errors.AsType[*wire.RawError](cause); ok {
		reason = raw.Reason
	}
	source := cmp.Or(t.raw.Touchpoint.Source, in.Source) // as far as it could be read
	q, err := t.quality.at(in.Arrival, source)
	if err != nil {
		return err
	}
	q.Accepted++
	t.tally.accepted(false)
	if t.rejectedOf(r, in.Arrival) != nil {
		q.Erased++
		t.tally.erased++
		return nil
	}
	q.Rejected++
	t.tally.rejected++
	hs := []kgo.RecordHeader{
		{Key: wire.HeaderReason, Value: []byte(reason)},
		{Key: wire.HeaderError, Value: []byte(cause.Error())},
		{Key: wire.HeaderOrigin, Value: []byte(originOf(r))},
		{Key: wire.HeaderSource, Value: []byte(source)},
		{Key: wire.HeaderReceivedAt, Value: strconv.AppendInt(nil, in.Arrival, 10)},
	}
	hs = handOn(hs, r, wire.HeaderBackfill, wire.HeaderReplay)
	value := r.Value
	if len(value) > maxRejected { // a compressed batch may hold more than a topic takes
		hs[1].Value = fmt.Appendf(nil, "%s; kept are the first %d of %d bytes, the whole is at its origin", hs[1].Value, maxRejected, len(value))
		value = value[:maxRejected]
	}
	out.Produce(&kgo.Record{Topic: t.topics.rejected, Key: []byte(originOf(r)), Value: slices.Clone(value), Headers: hs})
	return nil
}

// device returns the decoded state of an identifier.
func (t *deviceTask) device(identifier string) (*deviceEntry, error) {
	if d, ok := t.devices.get(identifier); ok {
		return d, nil
	}
	d := &deviceEntry{}
	d.Identifier = strings.Clone(identifier) // the caller's aliases a record
	prefix := rowPrefix(tableDevice, d.Identifier)
	err := t.state.Scan(prefix, func(key, value []byte) error {
		switch key = key[len(prefix):]; key[0] {
		case rowMeta:
			return wire.DecodeDevice(value, &d.Device)
		case rowHashes:
			c := &journey.HashChunk{Day: int32(binary.BigEndian.Uint32(key[1:])), Number: int32(binary.BigEndian.Uint32(key[5:]))}
			d.RestoreHashes(c)
			return wire.DecodeHashes(value, c)
		case rowSession:
			s, err := wire.DecodeSession(value)
			if err == nil {
				d.Restore(s)
			}
			return err
		}
		return fmt.Errorf("state row of kind %q is unknown", key[0])
	})
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", identifier, err)
	}
	t.devices.put(d)
	return d, nil
}

// hashBytes is what a message adds to a device: its hash.
const hashBytes = 8

func (t *deviceTask) mark(d *deviceEntry) {
	t.devices.grew(hashBytes)
	if !d.dirty {
		d.dirty = true
		t.dirty = append(t.dirty, d)
	}
}

// Flush implements stream.Task.
func (t *deviceTask) Flush(_ stream.Clock, out stream.Output) error {
	for _, d := range t.dirty {
		d.dirty = false
		t.flushDevice(d, out)
	}
	t.dirty = emptied(t.dirty)
	t.open.add(t.opened)
	t.opened = 0
	t.quality.flush(t.topics.quality, out)
	if !t.modelKnown {
		t.state.Put([]byte{tableModel}, []byte(t.o.Model.Name))
	}
	return nil
}

func (t *deviceTask) flushDevice(d *deviceEntry, out stream.Output) {
	prefix := appendPrefix(t.prefix[:0], tableDevice, d.Identifier)
	t.prefix = prefix
	c := d.TakeChanges(t.o.Model)
	for _, start := range c.Dropped {
		t.state.Delete(sessionKey(prefix, start))
	}
	for _, s := range c.Sessions {
		t.row = wire.AppendSession(t.row[:0], s)
		t.state.Put(sessionKey(prefix, s.Start), t.row)
		t.out.produce(out, t.topics.sessions, s.ID, t.session.Of(d.Identifier, t.o.Model, s, t.state.NextRevision()), nil)
	}
	for _, v := range c.Voids {
		rec := wire.VoidSession(d.Identifier, v, t.state.NextRevision())
		out.Produce(&kgo.Record{Topic: t.topics.sessions, Key: []byte(v.ID), Value: wire.Marshal(rec)})
	}
	for _, h := range c.Forgotten {
		t.state.Delete(hashesKey(prefix, h))
	}
	for _, h := range c.Hashes {
		t.row = wire.AppendHashes(t.row[:0], h)
		t.state.Put(hashesKey(prefix, h), t.row)
	}
	t.opened += c.Open
	if c.Timer != 0 {
		t.timers.add(c.Timer, d.Identifier)
	}
	if c.Links {
		t.state.Put(append(prefix, rowMeta), wire.EncodeDevice(&d.Device))
	}
	if c.Ownership {
		known := wire.EncodeRelinquish(d.Identifier, d.Known())
		for _, profile := range c.Named {
			out.Produce(&kgo.Record{Topic: t.topics.touchpoints, Key: []byte(profile), Value: known, Headers: t.topics.relinquishHeaders})
		}
		rec := wire.Identity(d.Identifier, &d.Ownership, t.state.NextRevision())
		out.Produce(&kgo.Record{Topic: t.topics.identities, Key: []byte(d.Identifier), Value: wire.Marshal(rec)})
	}
}

// Committed implements stream.Task.
func (t *deviceTask) Committed() {
	t.timers.committed()
	t.met.device(&t.tally, t.partition, t.open.n)
	t.tally = newTally()
	t.devices.committed()
	t.out.reset()
}

var _ stream.Trimmer = (*deviceTask)(nil)

// Trim implements stream.Trimmer.
func (t *deviceTask) Trim() { t.out.trim() }

// Shed implements stream.Trimmer.
func (t *deviceTask) Shed() { t.devices.clear() }

// Rollback implements stream.Task.
func (t *deviceTask) Rollback() {
	t.devices.clear()
	t.out.reset()
	t.dirty = emptied(t.dirty)
	t.tally = newTally()
	t.timers.rollback()
	t.quality.reset()
	t.opened = 0
	if err := t.open.load(); err != nil { // a metric: not worth stopping for
		t.o.Log.Warn("the number of open sessions is unknown", zap.Int32("partition", t.partition), zap.Error(err))
	}
}

// Leave implements stream.Leaver.
func (t *deviceTask) Leave() { t.met.open.DeleteLabelValues(strconv.Itoa(int(t.partition))) }
