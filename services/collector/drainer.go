package collector

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/services/collector/internal/spool"
)

const (
	drainBytes = 2 << 20 // of records that are sent together
	drainPause = 250 * time.Millisecond
	// handoverRecords may be behind what is being sent, for requests to wait.
	handoverRecords = 5000
)

// drainer sends what is in the spool to Kafka, in order. It has a client of its
// own, which never gives a record up: so within a partition none overtakes
// another.
type drainer struct {
	spool  *spool.Spool
	client *kgo.Client
	topic  string
	log    *zap.Logger
	met    *metrics
	failed string // what was last logged
	stop   func() // ends run, and returns when it has ended

	handover atomic.Pointer[chan struct{}] // is closed when the spool is empty; nil: it will not be soon
}

func newDrainer(o *Options, p *producer) (*drainer, error) {
	client, err := stream.NewClient(o.Cluster, "collector-spool", o.Log, o.Registerer,
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(linger),
		kgo.ProducerBatchCompression(kgo.Lz4Compression(), kgo.NoCompression()),
		kgo.ProduceRequestTimeout(o.ProduceTimeout),
	)
	if err != nil {
		return nil, err
	}
	return &drainer{spool: p.spool, client: client, topic: p.topic, log: o.Log, met: p.met}, nil
}

// run ends with ctx. What is not sent by then stays in the spool.
func (d *drainer) run(ctx context.Context) {
	defer d.let()
	defer d.client.Close() // before the spool's memory is used again
	for ctx.Err() == nil {
		batch, err := d.spool.Next(ctx, drainBytes)
		if err == nil {
			err = d.send(ctx, batch)
		}
		d.note(ctx, err)
		if err != nil {
			pause(ctx, drainPause)
		}
	}
}

// send delivers a batch. Once little is left behind it, requests are held back
// until nothing is.
func (d *drainer) send(ctx context.Context, batch *spool.Batch) error {
	if d.spool.Stats().Records-int64(len(batch.Records)) < handoverRecords {
		d.hold()
	}
	err := d.deliver(ctx, batch.Records)
	if err == nil {
		err = d.spool.Done()
	}
	if err != nil || d.spool.Empty() {
		d.let()
	}
	return err
}

// hold begins the hand-over to the direct way, if it has not begun.
func (d *drainer) hold() {
	if d.handover.Load() == nil {
		end := make(chan struct{})
		d.handover.Store(&end)
	}
}

// let ends it.
func (d *drainer) let() {
	if end := d.handover.Swap(nil); end != nil {
		close(*end)
	}
}

// note logs an error once, not at every try.
func (d *drainer) note(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil:
	case err == nil:
		d.failed = ""
	case err.Error() != d.failed:
		d.failed = err.Error()
		d.log.Error("the spool cannot be sent, it is tried again", zap.Error(err))
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// deliver returns when Kafka has every record, or when what it will never take is
// set aside.
func (d *drainer) deliver(ctx context.Context, records []spool.Record) error {
	all := make([]*drained, len(records))
	for i := range records {
		all[i] = &drained{from: &records[i]}
	}
	var refused []spool.Record
	var reason error
	for left := all; len(left) > 0; {
		if err := d.produce(ctx, left); err != nil {
			return err
		}
		var again []*drained
		for _, r := range left {
			switch {
			case r.err == nil:
			case !forGood(r.err):
				d.met.spooled.WithLabelValues("retried").Inc()
				d.note(ctx, r.err)
				again = append(again, r)
			case len(left) > 1: // perhaps it was only in bad company
				if err := d.produce(ctx, []*drained{r}); err != nil {
					return err
				}
				if r.err == nil {
					continue
				}
				fallthrough
			default:
				refused, reason = append(refused, *r.from), r.err
			}
		}
		if left = again; len(left) > 0 {
			pause(ctx, drainPause)
		}
	}
	if len(refused) > 0 {
		name, err := d.spool.SetAside(reason.Error(), refused)
		if err != nil {
			return err
		}
		d.met.spooled.WithLabelValues("refused").Add(float64(len(refused)))
		d.log.Error("kafka will not take records of the spool, they were set aside", zap.Int("records", len(refused)), zap.String("kept", name), zap.Error(reason))
	}
	d.met.spooled.WithLabelValues("sent").Add(float64(len(records) - len(refused)))
	return nil
}

// drained is a record on its way.
type drained struct {
	from *spool.Record
	err  error
}

// produce sends records and waits for all; an error is ctx's.
func (d *drainer) produce(ctx context.Context, list []*drained) error {
	type result struct {
		of  *drained
		err error
	}
	results := make(chan result, len(list))
	for _, r := range list {
		rec := &kgo.Record{Topic: d.topic, Key: r.from.Key, Value: r.from.Value, Timestamp: r.from.Time}
		for _, h := range r.from.Headers {
			rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		d.client.Produce(ctx, rec, func(_ *kgo.Record, err error) { results <- result{r, err} })
	}
	for range list {
		select {
		case got := <-results:
			got.of.err = got.err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, r := range list {
		if errors.Is(r.err, kgo.ErrClientClosed) {
			return r.err
		}
	}
	return nil
}
