package stream

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
)

// replay follows a changelog partition into a store.
type replay struct {
	step      *Step
	partition int32
	store     Store
	moving    func() // called when something has come

	origin     string
	start, end int64     // of the changelog: log start offset, high watermark
	taken      time.Time // when end was true
}

// tooOldError says that a stored state has missed too much to follow up.
type tooOldError struct{ asof time.Time }

func (e *tooOldError) Error() string {
	return "they are of " + e.asof.UTC().Format(time.RFC3339) + ", and the changelog may have forgotten what was deleted since"
}

// prepare finds out what the changelog is and where it ends, and empties a store
// that is not a copy of it. warm says that the store has rows to go on from.
func (r *replay) prepare(ctx context.Context) (warm bool, err error) {
	adm, topic := kadm.NewClient(r.step.sess.Client()), r.step.changelog
	details, err := adm.ListTopics(ctx, topic)
	if err == nil {
		err = details[topic].Err
	}
	if err != nil {
		return false, fmt.Errorf("describe topic %s: %w", topic, err)
	}
	id := details[topic].ID
	r.origin = topic + " " + base64.StdEncoding.EncodeToString(id[:])
	starts, err := adm.ListStartOffsets(ctx, topic)
	if err != nil {
		return false, fmt.Errorf("list start offsets: %w", err)
	}
	// After the id: a topic that is made anew in between looks too short, and the
	// next look at its id tells.
	r.taken = time.Now()
	ends, err := adm.ListEndOffsets(ctx, topic)
	if err != nil {
		return false, fmt.Errorf("list end offsets: %w", err)
	}
	start, _ := starts.Lookup(topic, r.partition)
	end, ok := ends.Lookup(topic, r.partition)
	if !ok {
		return false, fmt.Errorf("topic %s has no partition %d", topic, r.partition)
	}
	if end.Err != nil {
		return false, end.Err
	}
	r.start, r.end = start.Offset, end.Offset
	have := r.store.Progress()
	switch why := stale(have, r.origin, r.start, r.end); {
	case have.Origin == "":
		return false, r.store.Reset(r.origin)
	case why != "":
		return false, r.reset(why)
	}
	return have.Next > 0, nil
}

// stale says why rows cannot be brought up to date from a changelog; "" they can.
func stale(have Progress, origin string, start, end int64) string {
	switch {
	case have.Origin != origin:
		return fmt.Sprintf("they are a copy of %s, and the changelog is %s", have.Origin, origin)
	case have.Next > end:
		return fmt.Sprintf("they reflect the changelog up to offset %d, and it ends at %d", have.Next, end)
	case have.Next > 0 && have.Next < start:
		return fmt.Sprintf("they reflect the changelog up to offset %d, and it begins at %d", have.Next, start)
	}
	return ""
}

// reset drops the rows and has them restored from the start.
func (r *replay) reset(why string) error {
	r.step.log.Warn("the rows kept on disk are of no use, restoring all from the changelog",
		zap.Int32("partition", r.partition), zap.String("because", why))
	return r.store.Reset(r.origin)
}

// read applies the changelog from where the store stands to the high watermark,
// which waits out the transactions that were open then.
func (r *replay) read(ctx context.Context) (records int, err error) {
	at := r.store.Progress()
	next := max(at.Next, r.start)
	tell := newTeller(r.step, r.partition, next, r.end)
	if next < r.end {
		cl, err := r.step.changelogConsumer(r.partition, next)
		if err != nil {
			return 0, err
		}
		defer cl.Close()
		for next < r.end {
			n, err := r.poll(ctx, cl, at, &next)
			if records += n; err != nil {
				return records, err
			}
			r.moving()
			tell.at(next, n)
		}
	}
	tell.done(records)
	// Complete as of when the end was taken, whatever the age of its last record.
	return records, r.store.Apply(nil, next, r.taken.UnixMilli())
}

// poll applies what one poll returns, and moves next behind it.
func (r *replay) poll(ctx context.Context, cl *kgo.Client, began Progress, next *int64) (int, error) {
	fetches := cl.PollRecords(ctx, 10_000)
	if err := fetches.Err0(); err != nil {
		return 0, err
	}
	var failed error
	fetches.EachError(func(_ string, _ int32, err error) { failed = err })
	if failed != nil {
		return 0, failed
	}
	var changes []Change
	asof := r.store.Progress().Asof
	for rec := range fetches.RecordsAll() {
		*next = rec.Offset + 1
		if rec.Attrs.IsControl() {
			continue
		}
		if asof := time.UnixMilli(began.Asof); began.Next > 0 && r.taken.Sub(asof) > tailHorizon {
			return 0, &tooOldError{asof}
		}
		asof = rec.Timestamp.UnixMilli()
		changes = append(changes, Change{rec.Key, rec.Value})
	}
	return len(changes), r.store.Apply(changes, *next, asof)
}

// tellEvery is how often a restore says how far it is.
const tellEvery = 5 * time.Second

// teller reports the progress of a restore.
type teller struct {
	step       *Step
	partition  int32
	from, end  int64
	began, say time.Time
	records    int
}

func newTeller(s *Step, partition int32, from, end int64) *teller {
	now := time.Now()
	t := &teller{step: s, partition: partition, from: from, end: end, began: now, say: now.Add(tellEvery)}
	s.met.restoring(partition, 0, 0)
	return t
}

// at reports that the restore has read up to an offset.
func (t *teller) at(next int64, n int) {
	t.records += n
	now := time.Now()
	part := min(1, float64(next-t.from)/float64(t.end-t.from))
	t.step.met.restoring(t.partition, part, n)
	if now.Before(t.say) || next >= t.end {
		return
	}
	t.say = now.Add(tellEvery)
	took := now.Sub(t.began)
	left := time.Duration(float64(took) * (1 - part) / max(part, 1e-6))
	t.step.log.Info("restoring state", zap.Int32("partition", t.partition), zap.Int("percent", int(100*part)),
		zap.Int("records", t.records), zap.Int("records_per_second", int(float64(t.records)/took.Seconds())),
		zap.Duration("remaining", left.Round(time.Second)))
}

func (t *teller) done(records int) { t.step.met.restoring(t.partition, 1, records-t.records) }
