// Package putback puts rejected touchpoints that have been repaired back to
// touchpoints.raw, once: what was put back is noted in touchpoints.rejected, in the
// same transaction, and not put back again.
package putback

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/cairnhq/cairn/pkg/enrich/plan"
	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire"
)

// Options says which rejected records to put back, and how to repair them.
type Options struct {
	Cluster   stream.Cluster
	Namespace string
	Reasons   []string  // required
	Source    string    // "": all
	From, To  time.Time // of arrival, To not included; zero: no bound
	Fix       *Fix      // nil: as they are
	Plan      *plan.Plan
	DryRun    bool // nothing is written
	Log       *zap.Logger
}

// Result is what became of the records of touchpoints.rejected.
type Result struct {
	DryRun    bool           `json:"dry_run"`
	Read      int            `json:"read"`      // records, markers aside
	Matched   int            `json:"matched"`   // of the reasons, source and times
	Before    int            `json:"before"`    // of these: were put back by an earlier run
	PutBack   int            `json:"put_back"`  // would be, in a dry run
	Changed   []Count        `json:"changed"`   // by each step of the fix
	StillBad  map[string]int `json:"still_bad"` // not put back: they would be rejected again, by reason
	FirstBad  string         `json:"first_bad"` // of these, the first one, as a sentence
	Truncated int            `json:"truncated"` // not put back: their end was not kept
	Twice     int            `json:"twice"`     // the same record, rejected anew by a rebuild
}

// Count is how many events a step of the fix has changed.
type Count struct {
	Step   string `json:"step"`
	Events int    `json:"events"`
}

// A transaction has at most so many events and bytes.
const (
	batchEvents = 1000
	batchBytes  = 4 << 20
)

// run is one pass over the rejected records.
type run struct {
	*Options
	result  Result
	raw     string          // topic
	topic   string          // of the rejected ones
	handled map[string]bool // origins
	client  *kgo.Client     // transactional; nil in a dry run
	open    []*kgo.Record
	bytes   int
}

// Run puts back what matches. Where it is stopped, what was put back stays so, and
// the next run goes on. Two runs at once: the older one fails.
func Run(ctx context.Context, o Options) (Result, error) {
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	r := &run{
		Options: &o, raw: stream.Qualify(o.Namespace, stream.TopicRaw), topic: stream.Qualify(o.Namespace, stream.TopicRejected),
		handled: map[string]bool{}, result: Result{DryRun: o.DryRun, StillBad: map[string]int{}, Changed: []Count{}},
	}
	if !o.DryRun {
		var err error
		r.client, err = stream.NewClient(o.Cluster, "putback", o.Log, nil, kgo.TransactionalID(stream.Qualify(o.Namespace, "putback")))
		if err != nil {
			return r.result, err
		}
		defer r.client.Close()
		// Before anything is read: from here on an older run cannot write.
		if _, _, err := r.client.ProducerID(ctx); err != nil {
			return r.result, fmt.Errorf("begin to write: %w", err)
		}
	}
	if err := r.scan(ctx, func(rec *kgo.Record) error {
		if typeOf(rec) == wire.TypeReplayed {
			r.handled[string(rec.Key)] = true
		}
		return nil
	}); err != nil {
		return r.result, err
	}
	before := maps.Clone(r.handled)
	if err := r.scan(ctx, func(rec *kgo.Record) error { return r.record(ctx, rec, before) }); err != nil {
		return r.result, err
	}
	if o.Fix != nil {
		r.result.Changed = o.Fix.counts()
	}
	return r.result, r.commit(ctx)
}

// record decides about one record of touchpoints.rejected.
func (r *run) record(ctx context.Context, rec *kgo.Record, before map[string]bool) error {
	if typeOf(rec) == wire.TypeReplayed {
		return nil
	}
	r.result.Read++
	x := rejectedOf(rec)
	if !r.wanted(&x) {
		return nil
	}
	r.result.Matched++
	switch {
	case before[x.origin]:
		r.result.Before++
		return nil
	case r.handled[x.origin]:
		r.result.Twice++
		return nil
	case x.truncated:
		r.result.Truncated++
		return nil
	}
	r.handled[x.origin] = true
	value, key, err := r.repair(&x)
	if bad, ok := errors.AsType[*wire.RawError](err); ok {
		if len(r.result.StillBad) == 0 {
			r.result.FirstBad = x.origin + ": " + bad.Error()
		}
		r.result.StillBad[bad.Reason]++
		return nil
	}
	if err != nil {
		return err
	}
	r.result.PutBack++
	if r.DryRun {
		return nil
	}
	r.open = append(
		r.open,
		&kgo.Record{Topic: r.raw, Key: []byte(key), Value: value, Headers: x.headers()},
		&kgo.Record{Topic: r.topic, Key: []byte(x.origin), Headers: []kgo.RecordHeader{
			{Key: wire.HeaderType, Value: []byte(wire.TypeReplayed)}, {Key: wire.HeaderOrigin, Value: []byte(x.origin)},
		}},
	)
	if r.bytes += len(value); r.bytes >= batchBytes || len(r.open) >= 2*batchEvents {
		return r.commit(ctx)
	}
	return nil
}

// commit writes what is open: all of it, or nothing.
func (r *run) commit(ctx context.Context) error {
	if len(r.open) == 0 {
		return nil
	}
	if err := r.client.BeginTransaction(); err != nil {
		return fmt.Errorf("begin a transaction: %w", err)
	}
	if err := r.client.ProduceSync(ctx, r.open...).FirstErr(); err != nil {
		// Whatever of it was written: readers of committed records never see it.
		abort, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		return fenced(errors.Join(fmt.Errorf("write: %w", err), r.client.EndTransaction(abort, kgo.TryAbort)))
	}
	if err := r.client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return fenced(fmt.Errorf("commit: %w; run the same command again, it goes on where this one ended", err))
	}
	r.open, r.bytes = r.open[:0], 0
	return nil
}

func fenced(err error) error {
	if errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch) {
		return fmt.Errorf("another cairn replay --rejected has begun: %w", err)
	}
	return err
}

// rejected is a record of touchpoints.rejected.
type rejected struct {
	origin    string // topic/partition/offset of the raw record
	first     string // likewise, of the first attempt: origin, unless it was a replay itself
	reason    string
	source    string
	arrival   int64
	backfill  bool
	truncated bool
	value     []byte
}

func rejectedOf(rec *kgo.Record) rejected {
	x := rejected{origin: string(rec.Key), value: rec.Value, arrival: rec.Timestamp.UnixMilli()}
	for _, h := range rec.Headers {
		switch h.Key {
		case wire.HeaderReason:
			x.reason = string(h.Value)
		case wire.HeaderError:
			x.truncated = strings.HasSuffix(string(h.Value), "the whole is at its origin")
		case wire.HeaderSource:
			x.source = string(h.Value)
		case wire.HeaderBackfill:
			x.backfill = true
		case wire.HeaderReplay:
			x.first = string(h.Value)
		case wire.HeaderReceivedAt:
			if ms, err := strconv.ParseInt(string(h.Value), 10, 64); err == nil {
				x.arrival = ms
			}
		}
	}
	if x.first == "" {
		x.first = x.origin
	}
	return x
}

func (r *run) wanted(x *rejected) bool {
	at := time.UnixMilli(x.arrival)
	return slices.Contains(r.Reasons, x.reason) && (r.Source == "" || r.Source == x.source) && !at.Before(r.From) && (r.To.IsZero() || at.Before(r.To))
}

// headers are those of the record that is put back.
func (x *rejected) headers() []kgo.RecordHeader {
	hs := []kgo.RecordHeader{
		{Key: wire.HeaderReplay, Value: []byte(x.first)},
		{Key: wire.HeaderReceivedAt, Value: strconv.AppendInt(nil, x.arrival, 10)},
	}
	if x.source != "" {
		hs = append(hs, kgo.RecordHeader{Key: wire.HeaderSource, Value: []byte(x.source)})
	}
	if x.backfill {
		hs = append(hs, kgo.RecordHeader{Key: wire.HeaderBackfill, Value: []byte("1")})
	}
	return hs
}

func typeOf(rec *kgo.Record) string {
	for _, h := range rec.Headers {
		if h.Key == wire.HeaderType {
			return string(h.Value)
		}
	}
	return ""
}
