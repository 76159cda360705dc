package sink

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/warehouse"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// Reasons of the sink's own rejects.
const (
	reasonUndecodable = "sink_undecodable"  // not what its topic should carry
	reasonOutOfRange  = "sink_out_of_range" // a value no column can hold
	reasonRefused     = "sink_refused"      // ClickHouse refused the row
)

const (
	typeEpoch  = "epoch" // value of the header cairn-type on the topic quality
	epochShift = stream.EpochShift
)

// decoder turns records into rows of a generation. Strings of the rows alias the
// record's value, which nothing else writes to: franz-go makes a new buffer for
// every fetch.
type decoder struct {
	namespace string
	pool      *shardPool
	complete  *atomic.Uint32 // epoch of the newest rebuild that readers see

	// Reused from record to record; what goes into a batch is copied out of them.
	touchpoint wirepb.Touchpoint
	session    wirepb.Session
	journey    wirepb.Journey
	identity   wirepb.Identity
	quality    wirepb.Quality
	epoch      wirepb.Epoch
	transition wire.Transition
	friction   journey.Friction
}

// rejectError is why a record becomes no row.
type rejectError struct {
	reason   string
	err      error
	source   string
	revision uint64
}

func (e *rejectError) Error() string { return e.err.Error() }

func undecodable(err error) *rejectError { return &rejectError{reason: reasonUndecodable, err: err} }

func outOfRange(err error, source string, revision uint64) *rejectError {
	if err == nil {
		return nil
	}
	return &rejectError{reason: reasonOutOfRange, err: err, source: source, revision: revision}
}

// add adds the record's row, or its reject, to the generation. Control records,
// tombstones and talk between the steps become nothing.
func (d *decoder) add(g *generation, r *kgo.Record) *rejectError {
	if r.Attrs.IsControl() {
		return nil
	}
	topic, ok := strings.CutPrefix(r.Topic, d.namespace+".")
	if !ok {
		return undecodable(errors.New("a topic of another namespace"))
	}
	kind := header(r, wire.HeaderType)
	if topic == stream.TopicRejected {
		if kind != wire.TypeReplayed {
			d.addRejected(g, r)
		}
		return nil
	}
	if r.Value == nil || (kind != "" && (topic != stream.TopicQuality || kind != typeEpoch)) {
		return nil
	}
	switch topic {
	case stream.TopicTouchpoints:
		return d.addTouchpoint(g, r)
	case stream.TopicLate:
		return d.addLate(g, r)
	case stream.TopicSessions:
		return d.addSession(g, r)
	case stream.TopicJourneys:
		return d.addJourney(g, r)
	case stream.TopicTransitions:
		return d.addTransition(g, r)
	case stream.TopicFrictions:
		return d.addFriction(g, r)
	case stream.TopicIdentities:
		return d.addIdentity(g, r)
	case stream.TopicEpochs:
		return d.addControl(g, r)
	case stream.TopicQuality:
		if kind == typeEpoch {
			return d.addEpoch(g, r)
		}
		return d.addQuality(g, r)
	}
	return undecodable(fmt.Errorf("topic %s has no table", r.Topic))
}

func (d *decoder) addTouchpoint(g *generation, r *kgo.Record) *rejectError {
	t := &d.touchpoint
	t.Reset()
	if err := t.UnmarshalVTUnsafe(r.Value); err != nil {
		return undecodable(fmt.Errorf("decode touchpoint: %w", err))
	}
	sh, batch := shardOf[*warehouse.TouchpointBatch](g, d.pool, warehouse.TableTouchpoints, warehouse.MonthOf(t.TimeMs), d.ahead(t.Revision))
	if err := batch.Add(t); err != nil {
		return outOfRange(err, t.Source, t.Revision)
	}
	g.added(sh, r)
	return nil
}

func (d *decoder) addLate(g *generation, r *kgo.Record) *rejectError {
	t := &d.touchpoint
	t.Reset()
	if err := t.UnmarshalVTUnsafe(r.Value); err != nil {
		return undecodable(fmt.Errorf("decode late touchpoint: %w", err))
	}
	sh, batch := shardOf[*warehouse.LateBatch](g, d.pool, warehouse.TableLate, 0, d.ahead(t.Revision))
	if err := batch.Add(originOf(r), header(r, wire.HeaderReason), t); err != nil {
		return outOfRange(err, t.Source, t.Revision)
	}
	g.added(sh, r)
	return nil
}

func (d *decoder) addSession(g *generation, r *kgo.Record) *rejectError {
	m := &d.session
	m.Reset()
	if err := m.UnmarshalVTUnsafe(r.Value); err != nil {
		return undecodable(fmt.Errorf("decode session: %w", err))
	}
	sh, batch := shardOf[*warehouse.SessionBatch](g, d.pool, warehouse.TableSessions, warehouse.MonthOf(m.MintedMs), d.ahead(m.Revision))
	if err := batch.Add(m); err != nil {
		return outOfRange(err, m.Source, m.Revision)
	}
	g.added(sh, r)
	return nil
}

func (d *decoder) addJourney(g *generation, r *kgo.Record) *rejectError {
	m := &d.journey
	m.Reset()
	if err := m.UnmarshalVTUnsafe(r.Value); err != nil {
		return undecodable(fmt.Errorf("decode journey: %w", err))
	}
	sh, batch := shardOf[*warehouse.JourneyBatch](g, d.pool, warehouse.TableJourneys, warehouse.MonthOf(m.MintedMs), d.ahead(m.Revision))
	if err := batch.Add(m); err != nil {
		return outOfRange(err, "", m.Revision)
	}
	g.added(sh, r)
	return nil
}

func (d *decoder) addTransition(g *generation, r *kgo.Record) *rejectError {
	t := &d.transition
	if err := wire.DecodeTransition(r.Value, t); err != nil {
		return undecodable(err)
	}
	sh, batch := shardOf[*warehouse.TransitionBatch](g, d.pool, warehouse.TableTransitions, 0, d.ahead(t.Revision))
	if err := batch.Add(t); err != nil {
		return outOfRange(err, "", t.Revision)
	}
	g.added(sh, r)
	return nil
}

func (d *decoder) addFriction(g *generation, r *kgo.Record) *rejectError {
	f := &d.friction
	if err := wire.DecodeFriction(r.Value, f); err != nil {
		return undecodable(err)
	}
	sh, batch := shardOf[*warehouse.FrictionBatch](g, d.pool, warehouse.TableFrictions, 0, d.ahead(f.Revision))
	if err := batch.Add(f); err != nil {
		return outOfRange(err, "", f.Revision)
	}
	g.added(sh, r)
	return nil
}

func (d *decoder) addIdentity(g *generation, r *kgo.Record) *rejectError {
	m := &d.identity
	m.Reset()
	if err := m.UnmarshalVTUnsafe(r.Value); err != nil {
		return undecodable(fmt.Errorf("decode identity: %w", err))
	}
	sh, batch := shardOf[*warehouse.IdentityBatch](g, d.pool, warehouse.TableIdentities, 0, d.ahead(m.Revision))
	if err := batch.Add(m); err != nil {
		return outOfRange(err, "", m.Revision)
	}
	g.added(sh, r)
	return nil
}

func (d *decoder) addQuality(g *generation, r *kgo.Record) *rejectError {
	m := &d.quality
	m.Reset()
	if err := m.UnmarshalVTUnsafe(r.Value); err != nil {
		return undecodable(fmt.Errorf("decode quality: %w", err))
	}
	sh, batch := shardOf[*warehouse.QualityBatch](g, d.pool, warehouse.TableQuality, warehouse.MonthOf(m.MinuteMs), d.ahead(m.Revision))
	if err := batch.Add(m); err != nil {
		return outOfRange(err, m.Source, m.Revision)
	}
	g.added(sh, r)
	return nil
}

func (d *decoder) addEpoch(g *generation, r *kgo.Record) *rejectError {
	m := &d.epoch
	m.Reset()
	if err := m.UnmarshalVTUnsafe(r.Value); err != nil {
		return undecodable(fmt.Errorf("decode epoch: %w", err))
	}
	sh, batch := shardOf[*warehouse.EpochBatch](g, d.pool, warehouse.TableEpochs, 0, 0)
	if err := batch.Add(m); err != nil {
		return outOfRange(err, "", 0)
	}
	g.added(sh, r)
	return nil
}

// addControl adds what a control record says once its rebuild is complete: a
// ClickHouse that was made anew learns of all of them so.
func (d *decoder) addControl(g *generation, r *kgo.Record) *rejectError {
	e, err := stream.DecodeEpoch(r.Value)
	if err != nil {
		return undecodable(err)
	}
	if e.State != stream.EpochComplete {
		return nil
	}
	sh, batch := shardOf[*warehouse.EpochBatch](g, d.pool, warehouse.TableEpochs, 0, 0)
	for _, step := range []string{stream.GroupDevice, stream.GroupProfile} {
		row := &wirepb.Epoch{Step: step, Epoch: e.Epoch, CompletedMs: e.CompletedMillis}
		if err := batch.AddFrom(row, e.FromMillis); err != nil {
			return outOfRange(err, "", 0)
		}
		g.added(sh, r)
	}
	return nil
}

// ahead is the epoch of a revision if it belongs to a rebuild that readers do not
// see yet, else 0.
func (d *decoder) ahead(revision uint64) uint32 {
	if epoch := uint32(revision >> epochShift); epoch > d.complete.Load() {
		return epoch
	}
	return 0
}

// addRejected takes any record: whatever is missing from its headers is made up
// from the record itself.
func (d *decoder) addRejected(g *generation, r *kgo.Record) {
	row := warehouse.Rejected{
		Origin: originOf(r), Reason: header(r, wire.HeaderReason), Error: header(r, wire.HeaderError),
		Source: header(r, wire.HeaderSource), ReceivedMillis: r.Timestamp.UnixMilli(), Key: r.Key, Value: r.Value,
	}
	if ms, err := strconv.ParseInt(header(r, wire.HeaderReceivedAt), 10, 64); err == nil {
		row.ReceivedMillis = ms
	}
	if epoch, err := strconv.ParseUint(header(r, wire.HeaderEpoch), 10, 64-epochShift); err == nil {
		row.Revision = epoch<<epochShift | 1
	}
	sh, batch := shardOf[*warehouse.RejectedBatch](g, d.pool, warehouse.TableRejected, 0, 0)
	batch.Add(&row)
	g.added(sh, r)
}

// reject adds the row of a record that became no other one.
func (d *decoder) reject(g *generation, r *kgo.Record, why *rejectError) {
	sh, batch := shardOf[*warehouse.RejectedBatch](g, d.pool, warehouse.TableRejected, 0, 0)
	batch.Add(sinkReject(r, why))
	g.added(sh, r)
}

// sinkReject is the row for a record of a derived topic that the sink rejects. Its
// origin is the record's own place. It never goes to a topic, which the sink would
// read again.
func sinkReject(r *kgo.Record, why *rejectError) *warehouse.Rejected {
	return &warehouse.Rejected{
		Origin: place(r), Reason: why.reason, Error: why.Error(), Source: why.source,
		ReceivedMillis: r.Timestamp.UnixMilli(), Key: r.Key, Value: r.Value, Revision: why.revision,
	}
}

// originOf is where the raw record stands that a rejected or late one tells of.
func originOf(r *kgo.Record) string {
	if origin := header(r, wire.HeaderOrigin); origin != "" {
		return origin
	}
	if len(r.Key) > 0 {
		return string(r.Key)
	}
	return place(r)
}

// place is topic/partition/offset of a record.
func place(r *kgo.Record) string {
	return r.Topic + "/" + strconv.FormatInt(int64(r.Partition), 10) + "/" + strconv.FormatInt(r.Offset, 10)
}

// header returns the value of a record's header, "" if it has none.
func header(r *kgo.Record, key string) string {
	for i := range r.Headers {
		if r.Headers[i].Key == key {
			return string(r.Headers[i].Value)
		}
	}
	return ""
}
