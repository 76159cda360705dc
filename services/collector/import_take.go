package collector

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/lines"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/services/collector/internal/importer"
	"github.com/cairnhq/cairn/services/collector/internal/pii"
)

// take reads the body batch by batch: a batch is read when Kafka has the one
// before.
func (u *upload) take() *refusal {
	room := reservation{memory: u.h.memory}
	defer room.release()
	if !room.grow(u.memory) {
		return tooMuchInFlight()
	}
	u.body = newSlowBody(u)
	defer u.body.stop()
	// The server's own deadlines are for requests that are read whole.
	_ = http.NewResponseController(u.w).SetWriteDeadline(u.limit.Add(2 * u.h.opts.ProduceTimeout))
	var err error
	if u.lines, err = importer.NewReader(u.body, u.format); err != nil {
		return u.failed(err)
	}
	u.flight = newFlight()
	for {
		end, ref := u.fill()
		if ref == nil {
			ref = u.send()
		}
		if ref != nil || end {
			return ref
		}
	}
}

// fill reads lines until there are enough to send. end: there are no more.
func (u *upload) fill() (end bool, ref *refusal) {
	now := time.Now()
	headers := []kgo.RecordHeader{{Key: wire.HeaderBackfill, Value: []byte("1")}}
	for len(u.flight.values) < u.bytes && len(u.flight.records) < u.records {
		l, values, err := u.lines.Next(u.flight.values)
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, u.failed(err)
		}
		u.flight.values = values
		u.answer.Lines++
		if l.Skipped {
			u.answer.Skipped++
			continue
		}
		if l.Reject == nil {
			l.Reject = tooManyFields(l.Value, u.h.opts.MaxProperties)
		}
		rec := kgo.Record{Topic: u.h.topic, Key: l.Key, Value: l.Value, Headers: headers, Timestamp: now}
		if l.Reject != nil {
			u.bad = append(u.bad, badLine{l.Row, l.Column, l.Reject.Code, l.Reject.Message})
			u.h.met.rejects.WithLabelValues(u.key.source, l.Reject.Code).Inc()
			if l.Value == nil { // too long for Kafka
				continue
			}
			placed := *l.Reject
			placed.Message = fmt.Sprintf("%s chunk %d:%d:%d: %s", u.name(), u.answer.Chunk, l.Row, l.Column, l.Reject.Message)
			rec.Key, rec.Value, rec.Headers = nil, pii.Addresses(l.Value), rejectedHeaders(&placed, u.key.source, now, headers)
		} else {
			u.good++
		}
		u.flight.records = append(u.flight.records, rec)
	}
	return false, nil
}

func (u *upload) name() string {
	if u.answer.Import == "" {
		return "import"
	}
	return u.answer.Import
}

// send hands the batch to Kafka and waits for its acks.
func (u *upload) send() *refusal {
	n := len(u.flight.records)
	if ref := u.allowance(n); ref != nil {
		return ref
	}
	gone := u.h.screen(u.key, doNotTrack(u.r), u.flight)
	if ref := u.deliver(); ref != nil {
		u.h.met.events.WithLabelValues(u.key.source, outcomeFailed).Add(float64(len(u.flight.records)))
		return ref
	}
	u.h.met.bytes.WithLabelValues("out").Add(float64(len(u.flight.values)))
	accepted, rejected := u.good-int64(gone.accepted), int64(len(u.bad))
	u.h.met.events.WithLabelValues(u.key.source, outcomeAccepted).Add(float64(accepted))
	u.h.met.events.WithLabelValues(u.key.source, outcomeRejected).Add(float64(rejected - int64(gone.rejected)))
	u.answer.Accepted += accepted
	u.answer.Rejected += rejected
	u.answer.Dropped += int64(gone.accepted)
	u.answer.Errors = append(u.answer.Errors, u.bad[:min(len(u.bad), max(0, maxBadLines-len(u.answer.Errors)))]...)
	u.bad, u.good = u.bad[:0], 0
	u.flight.reset()
	return nil
}

// deliver sends the records as soon as there is room for them. History does not
// fill the spool: while that is being sent an import waits, and while Kafka is
// away it is refused.
func (u *upload) deliver() *refusal {
	p := u.h.producer
	for len(u.flight.records) > 0 {
		why := p.away.Load()
		switch {
		case why != nil:
			return away("Kafka cannot take events now: send the chunk again. The reason: "+*why+".", nil)
		case p.spool == nil || p.spool.Empty():
			err := p.send(u.flight, 0)
			if err == nil {
				return nil
			}
			if !errors.Is(err, errBufferFull) {
				return undelivered(err)
			}
			u.flight.again() // what Kafka has of it collapses with the repetition
		}
		if !u.wait(roomPause) {
			return overloaded("Too many events are on their way to Kafka: send the chunk again.")
		}
	}
	return nil
}

// maxBadLines is how many rejected lines an answer names.
const maxBadLines = 20

// allowance waits until the key may send n events: an import goes as fast as its
// key may, it is not refused.
func (u *upload) allowance(n int) *refusal {
	if u.key.limiter == nil {
		return nil
	}
	for n > 0 {
		some := min(n, u.key.limiter.Burst())
		ref := u.key.spend(time.Now(), some)
		if ref == nil {
			n -= some
			continue
		}
		if !u.wait(min(ref.retry, time.Second)) {
			return ref
		}
	}
	return nil
}

// wait pauses; false: the import must end.
func (u *upload) wait(pause time.Duration) bool {
	if time.Now().Add(pause).After(u.limit) {
		return false
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-u.h.draining:
		return false
	}
}

// failed turns an error of reading into an answer.
func (u *upload) failed(err error) *refusal {
	select {
	case <-u.h.draining:
		return away("This collector is shutting down: send the chunk again.", nil)
	default:
	}
	var timeout net.Error
	var header *importer.HeaderError
	switch {
	case errors.Is(err, errTooLarge), errors.Is(err, lines.ErrTooMuch):
		return u.tooLarge()
	case errors.As(err, &header):
		return badImport("The body cannot be read: " + header.Error() + ".")
	case errors.As(err, &timeout) && timeout.Timeout():
		message := "The body came too slowly: send the chunk again."
		if !time.Now().Before(u.limit) {
			message = fmt.Sprintf("The chunk took longer than %v: send it again, or smaller ones.", u.h.opts.ImportTimeout)
		}
		return &refusal{status: http.StatusRequestTimeout, code: codeReadFailed, message: message}
	}
	return &refusal{status: http.StatusBadRequest, code: codeReadFailed, message: fmt.Sprintf("The body ended early or cannot be unpacked (%v): send the chunk again.", err)}
}
