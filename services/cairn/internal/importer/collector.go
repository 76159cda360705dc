package importer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Bounds of what is sent at once; the collector takes 500 KB a request.
const (
	batchBytes    = 400 << 10
	batchRecords  = 1000
	batchesAtOnce = 4
)

// BackfillHeader asks the collector to mark a request's events as backfill.
const BackfillHeader = "Cairn-Backfill"

// CollectorSender posts records to a collector's /v1/batch, up to four requests
// at a time. Requests answered with 429 or 5xx, or not at all, are tried again
// for up to Patience. Malformed lines stay in the file: the door takes JSON only.
type CollectorSender struct {
	URL      string // of the collector, without a path
	WriteKey string
	Client   *http.Client  // nil: one with a timeout of a minute
	Patience time.Duration // 0: 2 minutes
	// Pause stands in for waiting in tests; nil: real time.
	Pause func(ctx context.Context, d time.Duration) error

	batch   bytes.Buffer
	records int
	group   *errgroup.Group   // of the requests under way; nil before the first record
	begin   func(body []byte) // has the group deliver a batch
	failure func() error      // of the group, at once; nil while there is none

	// Notice is told once, when a batch is not taken at first; nil: nobody.
	Notice  func(text string)
	noticed sync.Once
}

// Check fails for a URL that cannot be one.
func (s *CollectorSender) Check() error {
	u, err := url.Parse(s.URL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return fmt.Errorf("the collector's URL is %q: want http://host:port", s.URL)
	}
	return nil
}

// SetsArrival is true: the collector is where events arrive.
func (s *CollectorSender) SetsArrival() bool { return true }

// Send adds r to the batch and posts it once it is full. It blocks while four
// requests are under way.
func (s *CollectorSender) Send(ctx context.Context, r *Record) error {
	if s.group == nil {
		// What was handed over is delivered even if the import is stopped.
		group, ctx := errgroup.WithContext(context.WithoutCancel(ctx))
		group.SetLimit(batchesAtOnce)
		s.group, s.failure = group, ctx.Err
		s.begin = func(body []byte) { group.Go(func() error { return s.deliver(ctx, body) }) }
	}
	if s.failure() != nil {
		return s.group.Wait()
	}
	if r.Malformed != "" {
		return nil
	}
	if s.records > 0 && s.batch.Len()+len(r.Value) > batchBytes {
		s.post()
	}
	if s.records == 0 {
		s.batch.WriteString(`{"batch":[`)
	} else {
		s.batch.WriteByte(',')
	}
	s.batch.Write(r.Value)
	if s.records++; s.records >= batchRecords {
		s.post()
	}
	return nil
}

// post sends the batch in the background and begins another.
func (s *CollectorSender) post() {
	s.batch.WriteString(`]}`)
	body := bytes.Clone(s.batch.Bytes())
	s.batch.Reset()
	s.records = 0
	s.begin(body)
}

// Flush posts the rest and waits for all answers.
func (s *CollectorSender) Flush(context.Context) error {
	if s.group == nil {
		return nil
	}
	if s.records > 0 {
		s.post()
	}
	return s.group.Wait()
}

// deliver posts one batch until it is taken.
func (s *CollectorSender) deliver(ctx context.Context, body []byte) error {
	patience := s.Patience
	if patience == 0 {
		patience = 2 * time.Minute
	}
	pause, waited := 250*time.Millisecond, time.Duration(0)
	for {
		after, err := s.try(ctx, body)
		var final *answerError
		if err == nil || errors.As(err, &final) || ctx.Err() != nil {
			return err
		}
		s.noticed.Do(func() {
			if s.Notice != nil {
				s.Notice(fmt.Sprintf("the collector at %s does not take a batch yet, trying again for up to %s: %s", s.URL, patience, err))
			}
		})
		wait := max(pause, after)
		if waited += wait; waited > patience {
			return fmt.Errorf("the collector at %s does not take a batch for %s: %w", s.URL, patience, err)
		}
		if err := s.pause(ctx, wait); err != nil {
			return err
		}
		pause = min(2*pause, 10*time.Second)
	}
}

func (s *CollectorSender) pause(ctx context.Context, d time.Duration) error {
	if s.Pause != nil {
		return s.Pause(ctx, d)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// answerError is an answer that trying again cannot change.
type answerError struct{ reason string }

func (e *answerError) Error() string { return e.reason }

// try posts once. For an answer that says when to come back it returns how long.
func (s *CollectorSender) try(ctx context.Context, body []byte) (time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(s.URL, "/")+"/v1/batch", bytes.NewReader(body))
	if err != nil {
		return 0, &answerError{err.Error()}
	}
	req.SetBasicAuth(s.WriteKey, "")
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(BackfillHeader, "1")
	client := s.Client
	if client == nil {
		client = &http.Client{Timeout: time.Minute}
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 4096)) // only for the message
	switch {
	case resp.StatusCode == http.StatusOK:
		return 0, nil
	case resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode >= http.StatusInternalServerError:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After")) // absent: our own pause
		return time.Duration(seconds) * time.Second, fmt.Errorf("it answers %s: %s", resp.Status, reason(text))
	case resp.StatusCode == http.StatusUnauthorized:
		return 0, &answerError{fmt.Sprintf("the collector at %s does not know this write key: give the right one with --write-key", s.URL)}
	}
	return 0, &answerError{fmt.Sprintf("the collector at %s answers %s: %s", s.URL, resp.Status, reason(text))}
}

// reason is the "error" or "message" of a JSON answer, else the text itself.
func reason(body []byte) string {
	var said struct{ Error struct{ Message string } }
	if json.Unmarshal(body, &said) == nil && said.Error.Message != "" {
		return said.Error.Message
	}
	return clip(strings.TrimSpace(string(body)))
}
