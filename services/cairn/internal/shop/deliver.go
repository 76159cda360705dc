package shop

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// batchEvents is how many events a system of the shop sends at once.
const batchEvents = 100

// patience is how long a batch is offered to a collector that does not take it.
const patience = time.Minute

// Door is a collector.
type Door struct {
	URL         string            // without a path
	WriteKeys   map[string]string // of each source
	Connections int               // at once; 0: 4
	// Progress is called after each batch with the number of events acknowledged
	// so far; nil: nobody asks. It may be called from several goroutines, one at a time.
	Progress func(acknowledged int)
}

// Receipt is what the collector answered.
type Receipt struct {
	Sent         int // events handed to the HTTP client, once each
	Acknowledged int // events of batches answered with 200
	Rejected     int // of those: that the collector has put aside, whole
	Requests     int // that were made
	Retries      int // of those: because of an answer that asked for it, or none
}

// Deliver posts the week to a collector as fast as that takes it. Persons are
// spread over the connections; what is of one person and of one source goes over
// one connection, in the week's order. A batch that is answered with 429 or 5xx,
// or not at all, is sent again; any other answer ends the delivery.
func (w *Week) Deliver(ctx context.Context, d Door) (Receipt, error) {
	if d.Connections == 0 {
		d.Connections = 4
	}
	for _, source := range Sources() {
		if d.WriteKeys[source] == "" {
			return Receipt{}, fmt.Errorf("no write key for source %s", source)
		}
	}
	transport := &http.Transport{MaxIdleConnsPerHost: d.Connections}
	defer transport.CloseIdleConnections()
	c := &courier{door: d, client: &http.Client{Transport: transport, Timeout: 30 * time.Second}}
	group, ctx := errgroup.WithContext(ctx)
	for lane := range d.Connections {
		group.Go(func() error { return c.carry(ctx, w, lane) })
	}
	err := group.Wait()
	return c.receipt, err
}

// courier is a delivery under way.
type courier struct {
	door   Door
	client *http.Client

	mu      sync.Mutex
	receipt Receipt
}

// parcel is a batch that is being filled.
type parcel struct {
	body   bytes.Buffer
	events int
}

// carry posts the events of the persons of a lane.
func (c *courier) carry(ctx context.Context, w *Week, lane int) error {
	parcels := map[string]*parcel{}
	for _, source := range Sources() {
		parcels[source] = &parcel{}
	}
	for i := range w.Sends {
		s := &w.Sends[i]
		if int(s.Person)%c.door.Connections != lane {
			continue
		}
		p := parcels[s.Source]
		if err := p.add(&s.Event); err != nil {
			return err
		}
		if p.events == batchEvents {
			if err := c.post(ctx, s.Source, p); err != nil {
				return err
			}
		}
	}
	for _, source := range Sources() {
		if p := parcels[source]; p.events > 0 {
			if err := c.post(ctx, source, p); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *parcel) add(e *Event) error {
	event, err := e.JSON()
	if err != nil {
		return err
	}
	if p.events == 0 {
		p.body.WriteString(`{"batch":[`)
	} else {
		p.body.WriteByte(',')
	}
	p.body.Write(event)
	p.events++
	return nil
}

// post delivers a parcel and empties it.
func (c *courier) post(ctx context.Context, source string, p *parcel) error {
	p.body.WriteString(`]}`)
	c.note(func(r *Receipt) { r.Sent += p.events })
	began, pause := time.Now(), 100*time.Millisecond
	for {
		rejected, after, err := c.try(ctx, source, p.body.Bytes())
		c.note(func(r *Receipt) { r.Requests++ })
		if err == nil {
			c.note(func(r *Receipt) {
				r.Acknowledged += p.events
				r.Rejected += rejected
				if c.door.Progress != nil {
					c.door.Progress(r.Acknowledged)
				}
			})
			p.body.Reset()
			p.events = 0
			return nil
		}
		var final *refusedError
		if errors.As(err, &final) || time.Since(began) > patience {
			return err
		}
		timer := time.NewTimer(max(pause, after))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
		c.note(func(r *Receipt) { r.Retries++ })
		pause = min(2*pause, 5*time.Second)
	}
}

func (c *courier) note(f func(*Receipt)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.receipt)
}

// refusedError is an answer that sending again cannot change.
type refusedError struct{ error }

// answer is the collector's.
type answer struct {
	Rejected int `json:"rejected"`
	Error    struct {
		Message string `json:"message"`
	} `json:"error"`
}

// try posts a batch once. After is when the collector wants to see it again.
func (c *courier) try(ctx context.Context, source string, body []byte) (rejected int, after time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.door.URL+"/v1/batch", bytes.NewReader(body))
	if err != nil {
		return 0, 0, &refusedError{err}
	}
	req.SetBasicAuth(c.door.WriteKeys[source], "")
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.client.Do(req)
	if err != nil {
		return 0, 0, fmt.Errorf("post a batch: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return 0, 0, fmt.Errorf("read the collector's answer: %w", err)
	}
	var said answer
	parsed := json.Unmarshal(text, &said)
	switch {
	case resp.StatusCode == http.StatusOK && parsed == nil:
		return said.Rejected, 0, nil
	case resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode >= http.StatusInternalServerError:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After")) // absent: our own pause
		return 0, time.Duration(seconds) * time.Second, fmt.Errorf("the collector answers %s: %s", resp.Status, said.Error.Message)
	}
	return 0, 0, &refusedError{fmt.Errorf("the collector answers %s: %s", resp.Status, said.Error.Message)}
}
