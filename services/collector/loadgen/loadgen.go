// Package loadgen measures a running collector: connections that each send
// their next batch when the last one is answered. It takes as little of the
// machine as it can, so that the collector and not the client is measured.
package loadgen

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Options of a run. Zero values stand for the defaults named here.
type Options struct {
	URL         string        // of the collector, http://host:port
	WriteKey    string        // of one of its sources
	Connections int           // default 32
	BatchEvents int           // events per request; default 20
	Duration    time.Duration // of the measurement; default 5 s
	WarmUp      time.Duration // before it, not counted; default 1 s, negative: none
	Events      int64         // ends the measurement sooner; 0: no such limit
	Seed        uint64        // of the events; the same seed sends the same ones
}

// Result of a run. Latencies are of whole requests, in milliseconds.
type Result struct {
	EventsPerSecond float64 `json:"events_per_second"`
	P50             float64 `json:"p50_ms"`
	P99             float64 `json:"p99_ms"`
	Max             float64 `json:"max_ms"`
	Events          int64   `json:"events"` // acknowledged
	Requests        int     `json:"requests"`
	EventBytes      int     `json:"event_bytes"` // mean
	Seconds         float64 `json:"seconds"`
	Connections     int     `json:"connections"`
	BatchEvents     int     `json:"batch_events"`
}

// String is the result as one line of JSON.
func (r Result) String() string {
	line, err := json.Marshal(r)
	if err != nil {
		return err.Error() // cannot happen: finite numbers only
	}
	return string(line)
}

const (
	answerTimeout = 60 * time.Second
	dialTimeout   = 5 * time.Second
)

// Run loads the collector and returns what it measured. Any answer but 200 ends
// it with an error that quotes the answer. It is done soon after ctx ends.
func Run(ctx context.Context, o Options) (Result, error) {
	if err := o.setDefaults(); err != nil {
		return Result{}, fmt.Errorf("load the collector: %w", err)
	}
	target, err := url.Parse(o.URL)
	if err != nil || target.Scheme != "http" || target.Host == "" {
		return Result{}, fmt.Errorf("load the collector: %q is not like http://host:port", o.URL)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	run := &run{opts: &o, host: target.Host, stop: cancel, begin: time.Now().Add(o.WarmUp)}
	run.end = run.begin.Add(o.Duration)
	var wg sync.WaitGroup
	for i := range o.Connections {
		wg.Go(func() {
			if err := run.connection(ctx, i); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, errEnough) {
		return Result{}, fmt.Errorf("load the collector: %w", err)
	}
	return run.result(), nil
}

func (o *Options) setDefaults() error {
	if o.WriteKey == "" {
		return errors.New("the write key is missing")
	}
	if o.Connections == 0 {
		o.Connections = 32
	}
	if o.BatchEvents == 0 {
		o.BatchEvents = 20
	}
	if o.Duration == 0 {
		o.Duration = 5 * time.Second
	}
	if o.WarmUp == 0 {
		o.WarmUp = time.Second
	}
	o.WarmUp = max(o.WarmUp, 0)
	if o.Connections < 0 || o.BatchEvents < 0 || o.Duration < 0 || o.Events < 0 {
		return errors.New("an option is negative")
	}
	return nil
}

// errEnough ends a run that has sent its events.
var errEnough = errors.New("enough events")

// run is what the connections share.
type run struct {
	opts       *Options
	host       string
	begin, end time.Time
	stop       context.CancelCauseFunc
	events     atomic.Int64 // acknowledged within the measurement

	mu      sync.Mutex
	took    []time.Duration // of requests; guarded by mu
	bytes   int64           // of events; guarded by mu
	largest time.Time       // when the last counted answer came; guarded by mu
}

// connection sends batches until the time is over.
func (r *run) connection(ctx context.Context, number int) error {
	conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", r.host)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })()
	in := bufio.NewReader(conn)
	batch := newBatch(r.opts, r.host, number)
	var took []time.Duration
	var last time.Time
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.took = append(r.took, took...)
		r.bytes += int64(len(took)) * int64(batch.eventBytes)
		if last.After(r.largest) {
			r.largest = last
		}
	}()
	for ctx.Err() == nil {
		request := batch.next()
		sent := time.Now()
		if !sent.Before(r.end) {
			return nil
		}
		if err := exchange(conn, in, request, sent); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if sent.Before(r.begin) {
			continue
		}
		last = time.Now()
		took = append(took, last.Sub(sent))
		if n := r.events.Add(int64(r.opts.BatchEvents)); r.opts.Events > 0 && n >= r.opts.Events {
			r.stop(errEnough)
		}
	}
	return nil
}

// exchange sends a request and reads its answer.
func exchange(conn net.Conn, in *bufio.Reader, request []byte, now time.Time) error {
	if err := conn.SetDeadline(now.Add(answerTimeout)); err != nil {
		return err
	}
	if _, err := conn.Write(request); err != nil {
		return err
	}
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(res.Body)
	err = errors.Join(err, res.Body.Close())
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("the collector answers %s: %s", res.Status, body)
	}
	return err
}

func (r *run) result() Result {
	slices.Sort(r.took)
	out := Result{
		Events: r.events.Load(), Requests: len(r.took),
		Connections: r.opts.Connections, BatchEvents: r.opts.BatchEvents,
		Seconds: r.largest.Sub(r.begin).Seconds(),
	}
	if out.Requests == 0 {
		out.Seconds = 0
		return out
	}
	out.EventsPerSecond = float64(out.Events) / out.Seconds
	out.EventBytes = int(r.bytes) / out.Requests
	out.P50, out.P99, out.Max = r.quantile(0.5), r.quantile(0.99), r.quantile(1)
	return out
}

func (r *run) quantile(q float64) float64 {
	return float64(r.took[int(q*float64(len(r.took)-1))].Microseconds()) / 1000
}
