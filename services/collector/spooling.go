package collector

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"go.uber.org/zap"

	"github.com/cairnhq/cairn/services/collector/internal/spool"
)

// What a spool must have room for, so that a request is read at all.
const spoolRoom = 4 << 10

var errSpoolFull = errors.New("kafka is away and the spool is full")

// spoolError: the disk has failed.
type spoolError struct{ error }

func (e spoolError) Unwrap() error { return e.error }

// openSpool opens the spool that the options name.
func (p *producer) openSpool(o *Options) error {
	if o.SpoolDir == "" {
		return nil
	}
	dir, err := filepath.Abs(o.SpoolDir)
	if err != nil {
		return err
	}
	p.spool, err = spool.Open(spool.Options{Dir: dir, Bytes: o.SpoolBytes, Damaged: func(d spool.Damage) {
		kind := "damaged"
		if d.Torn {
			kind = "torn"
		}
		p.met.spoolDamage.WithLabelValues(kind).Add(float64(d.Bytes))
		p.log.Error("a part of the spool cannot be read and was kept aside", zap.String("kind", kind),
			zap.String("segment", d.Segment), zap.Int64("offset", d.Offset), zap.Int64("bytes", d.Bytes), zap.String("kept", d.Kept))
	}})
	if err != nil {
		return err
	}
	if err := p.met.watchSpool(o.Registerer, p.spool); err != nil {
		return errors.Join(fmt.Errorf("register metrics: %w", err), p.spool.Close())
	}
	if p.drainer, err = newDrainer(o, p); err != nil {
		return errors.Join(err, p.spool.Close())
	}
	if st := p.spool.Stats(); st.Records > 0 {
		p.log.Info("the spool holds records of an earlier run", zap.Int64("records", st.Records), zap.Time("oldest", st.Oldest))
	}
	return nil
}

// drain begins to send what is in the spool, until close. ctx outlives that.
func (p *producer) drain(ctx context.Context) {
	if p.spool == nil {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	p.drainer.stop = func() {
		cancel()
		<-ended
	}
	go func() {
		defer close(ended)
		p.drainer.run(ctx)
	}()
}

// closeSpool waits for the spool to be sent, until ctx ends or while Kafka is
// there, and gives its folder back.
func (p *producer) closeSpool(ctx context.Context) error {
	if p.spool == nil {
		return nil
	}
	for p.away.Load() == nil && !p.spool.Empty() && ctx.Err() == nil {
		pause(ctx, linger)
	}
	p.drainer.stop()
	if st := p.spool.Stats(); st.Records > 0 {
		p.log.Warn("the spool is not empty: start the collector again with this folder", zap.Int64("records", st.Records), zap.Int64("bytes", st.Bytes))
	}
	return p.spool.Close()
}

// shut is why no request can be taken now, in one sentence without a full stop;
// "": it can.
func (p *producer) shut() string {
	why := p.away.Load()
	switch {
	case p.spool == nil && why != nil:
		return "Kafka cannot take events now: try again. The reason: " + *why
	case p.spool == nil || p.spool.Room(spoolRoom):
		return ""
	case why != nil:
		return "Kafka cannot take events now, and the spool is full: try again. The reason: " + *why
	case !p.spool.Empty():
		return "The spool is full and is being sent: try again"
	}
	return ""
}

// send puts the records where they are safe: into Kafka, or into the spool if
// Kafka does not take them. What is in the spool goes first: while it is not
// empty everything goes there, behind it. So, of two requests with the same key,
// the second of which began after the first one's answer, the second's records
// stand behind.
//
// Records of which Kafka has not told what became of them are spooled too: they
// may be in Kafka twice then, as after a client's retry, and the device step
// counts one.
//
// Afterwards the flight is the caller's again, but after errUnknown it is empty.
func (p *producer) send(f *flight, patience time.Duration) error {
	if len(f.records) == 0 {
		return nil
	}
	at := f.records[0].Timestamp
	begin := time.Now()
	p.awaitHandover(patience)
	if patience > 0 {
		patience = max(patience-time.Since(begin), time.Millisecond)
	}
	if p.spool != nil && (p.away.Load() != nil || !p.spool.Empty()) {
		return p.keep(f, at)
	}
	err := p.hand(f, patience)
	told := err
	switch {
	case err == nil || p.spool == nil || forGood(err):
	case errors.Is(err, errBufferFull) && p.away.Load() == nil: // a spool is no way around too much
	default:
		// If this fails after errUnknown, the latter is told: the records may still
		// arrive.
		if kept := p.keep(f, at); kept == nil || !errors.Is(err, errUnknown) {
			told = kept
		}
	}
	if errors.Is(err, errUnknown) {
		f.leave()
	}
	return told
}

// handoverPatience bounds how long a request waits for the end of the spool.
const handoverPatience = time.Second

// awaitHandover holds a request back while the last records of the spool are
// sent: else requests would go on to fill it, behind each other, for ever.
func (p *producer) awaitHandover(patience time.Duration) {
	if p.spool == nil || p.away.Load() != nil {
		return
	}
	ch := p.drainer.handover.Load()
	if ch == nil {
		return
	}
	if patience <= 0 || patience > handoverPatience {
		patience = handoverPatience
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-*ch:
	case <-p.gone.channel():
	case <-timer.C:
	}
}

// forGood says that Kafka will never take the record.
func forGood(err error) bool {
	for _, e := range [...]error{kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidRecord, kerr.CorruptMessage, kerr.InvalidTimestamp} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// keep appends the records to the spool.
func (p *producer) keep(f *flight, at time.Time) error {
	records := make([]spool.Record, len(f.records))
	for i := range f.records {
		from := &f.records[i] // its client may still be at work on other fields
		to := &records[i]
		to.Key, to.Value, to.Time = from.Key, from.Value, at
		for _, h := range from.Headers {
			to.Headers = append(to.Headers, spool.Header{Key: h.Key, Value: h.Value})
		}
	}
	err := p.spool.Append(records)
	n := float64(len(records))
	switch {
	case err == nil:
		p.met.spooled.WithLabelValues("appended").Add(n)
		return nil
	case errors.Is(err, spool.ErrFull):
		p.met.spooled.WithLabelValues("full").Add(n)
		return errSpoolFull
	}
	p.met.spooled.WithLabelValues("failed").Add(n)
	return spoolError{err}
}

// alarm is a channel that is closed while something is the case. Safe for
// concurrent use.
type alarm struct {
	mu     sync.Mutex
	ch     chan struct{}
	raised bool
}

func (a *alarm) channel() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ch == nil {
		a.ch = make(chan struct{})
		if a.raised {
			close(a.ch)
		}
	}
	return a.ch
}

func (a *alarm) raise() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ch != nil && !a.raised {
		close(a.ch)
	}
	a.raised = true
}

func (a *alarm) lower() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.raised {
		a.ch, a.raised = nil, false
	}
}
