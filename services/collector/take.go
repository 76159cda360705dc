package collector

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/enrich"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/services/collector/internal/door"
	"github.com/cairnhq/cairn/services/collector/internal/jsonscan"
	"github.com/cairnhq/cairn/services/collector/internal/pii"
)

// maxRecord is what surely fits into a Kafka record under the usual limit of
// 1 MiB a batch.
const maxRecord = 900 << 10

// serve takes one request; nil: every event of it is acknowledged.
func (h *handler) serve(r *http.Request, e *entry, now time.Time, wk *work) *refusal {
	select {
	case <-h.draining:
		return away("This collector is shutting down: try again.", nil)
	default:
	}
	k, ref := h.identify(r, e, wk)
	if ref != nil {
		return ref
	}
	if k != nil {
		if ref := h.checkOrigin(&wk.answer, r, k); ref != nil {
			return ref
		}
		if ref := k.exhausted(now); ref != nil {
			return ref
		}
	}
	if why := h.producer.shut(); why != "" {
		return away(why+".", nil)
	}
	defer wk.room.release()
	return h.take(r, e, k, now, wk)
}

// identify finds the key that the request has outside its body; nil: none.
func (h *handler) identify(r *http.Request, e *entry, wk *work) (*key, *refusal) {
	writeKey, present := headerKey(r.Header)
	if !present && e.door.Key != nil {
		writeKey = e.door.Key(&wk.in)
		present = len(writeKey) > 0
	}
	if !present {
		return nil, nil
	}
	k := h.keys.find(writeKey)
	if _, signs := wk.request.(door.Signed); k == nil && !signs { // a signature goes before what else is in Authorization
		return nil, unauthorized()
	}
	return k, nil
}

// take reads the request, sends its events and returns nil when all are
// acknowledged. k is nil if the key must be in the body.
func (h *handler) take(r *http.Request, e *entry, k *key, now time.Time, wk *work) *refusal {
	if r.Method != http.MethodGet {
		var ref *refusal
		if wk.in.Body, ref = h.bodies.read(r, &wk.buffers, &wk.room); ref != nil {
			return ref
		}
	}
	select { // not while the body comes: slow clients would take the place of all others
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	default:
		return overloaded("Too many requests are in flight: try again.")
	}
	size := len(wk.in.Body) + len(r.URL.RawQuery)
	if !wk.room.grow(int64(size)) { // for the records
		return tooMuchInFlight()
	}
	h.met.bytes.WithLabelValues("in").Add(float64(size))
	rej := wk.request.Decode(&wk.in, h.opts.limits())
	if rej != nil && rej.Code == door.CodeOverloaded && wk.room.never {
		rej = door.NewReject(door.CodeTooLarge, "To unpack this body takes more memory than the collector may use: send smaller ones.", "")
	}
	if s, ok := wk.request.(door.Signed); ok && rej == nil {
		if source := s.SignedBy(); source != "" {
			k = h.signers.of(source)
		}
	}
	if k == nil {
		if rej != nil && beforeKey(rej) {
			return refused(rej)
		}
		var ref *refusal
		if k, ref = h.bodyKey(e, wk); ref != nil {
			return ref
		}
		if ref = h.checkOrigin(&wk.answer, r, k); ref != nil {
			return ref
		}
	}
	if rej != nil {
		return refused(rej)
	}
	n := wk.request.Len()
	if ref := k.spend(now, n); ref != nil {
		h.met.events.WithLabelValues(k.source, outcomeRefused).Add(float64(n))
		return ref
	}
	if ref := h.fill(r, k, now, wk); ref != nil {
		return ref
	}
	gone := h.screen(k, doNotTrack(r), wk.flight)
	return h.deliver(e, k, wk, len(wk.rejects)-gone.rejected)
}

// beforeKey reports whether a request without a key is told this first: what
// cannot be read has no key either, but its sender is helped more by hearing why
// it cannot be read.
func beforeKey(rej *door.Reject) bool {
	switch rej.Code {
	case door.CodeBadJSON, door.CodeBadEncoding, door.CodeOverloaded, door.CodeNotFound, door.CodeUnauthorized:
		return true
	}
	return false
}

// bodyKey finds the key that the body names, or whose the events are without.
func (h *handler) bodyKey(e *entry, wk *work) (*key, *refusal) {
	// Snowplow's app id may be a write key, but need not.
	if k := h.keys.find(wk.request.WriteKey()); k != nil {
		return k, nil
	}
	if e.door.nobody != nil {
		return e.door.nobody, nil
	}
	return nil, unauthorized()
}

// fill makes the records of all events.
func (h *handler) fill(r *http.Request, k *key, now time.Time, wk *work) *refusal {
	wk.meta = door.Meta{ReceivedAt: now, Source: k.source}
	if fromBrowser(r) {
		wk.meta.IP = enrich.TruncateIP(clientIP(r, h.opts.TrustedProxies))
		wk.meta.UserAgent = strings.ToValidUTF8(r.UserAgent(), "\uFFFD")
	}
	var headers []kgo.RecordHeader
	if isBackfill(r, wk.request) {
		headers = []kgo.RecordHeader{{Key: wire.HeaderBackfill, Value: []byte("1")}}
	}
	f := wk.flight
	for i := range wk.request.Len() {
		var rec door.Record
		rec, f.values = wk.request.Append(i, &wk.meta, f.values)
		if len(f.values) > memoryPerBatch*h.opts.MaxBatchBytes {
			return refused(&door.Reject{
				Code: door.CodeTooLarge, Message: "The batch's context, written into each event, takes too much: send smaller batches.", Pointer: "/context",
			})
		}
		if rec.Reject == nil {
			rec.Reject = tooManyFields(rec.Value, h.opts.MaxProperties)
		}
		out := kgo.Record{Topic: h.topic, Key: rec.Key, Value: rec.Value, Headers: headers, Timestamp: now}
		if rec.Reject != nil {
			wk.rejects = append(wk.rejects, rec.Reject)
			h.met.rejects.WithLabelValues(k.source, rec.Reject.Code).Inc()
			out.Key, out.Value = nil, pii.Addresses(rec.Value)
			if len(out.Value) > maxRecord { // as much as fits into Kafka: the batch's other events are good
				out.Value = out.Value[:maxRecord]
			}
			out.Headers = rejectedHeaders(rec.Reject, k.source, now, headers)
		}
		f.records = append(f.records, out)
	}
	h.met.bytes.WithLabelValues("out").Add(float64(len(f.values)))
	return nil
}

// tooManyFields bounds the members of an event: each of them may become a column
// of its own. Events too short for as many are not looked at.
func tooManyFields(value []byte, limit int) *door.Reject {
	const shortest = len(`"":0,`)
	if len(value) < shortest*limit {
		return nil
	}
	s := jsonscan.New(value)
	if _, err := s.Skip(); err != nil || s.Members() <= limit {
		return nil
	}
	return door.NewReject(door.CodeTooManyFields, fmt.Sprintf("An event may have %d properties, at any depth; this one has %d.", limit, s.Members()), "")
}

func isBackfill(r *http.Request, request door.Request) bool {
	if r.Header.Get(BackfillHeader) != "" {
		return true
	}
	b, ok := request.(door.Backfiller)
	return ok && b.Backfill()
}

// rejectedHeaders tell what is wrong with an event. The device step passes the
// record on to touchpoints.rejected: so that it is counted where all others are,
// and made again when derived topics are rebuilt from the raw one.
func rejectedHeaders(rej *door.Reject, source string, now time.Time, more []kgo.RecordHeader) []kgo.RecordHeader {
	return append([]kgo.RecordHeader{
		{Key: wire.HeaderReason, Value: []byte(rej.Code)},
		{Key: wire.HeaderError, Value: []byte(rej.String())},
		{Key: wire.HeaderSource, Value: []byte(source)},
		{Key: wire.HeaderReceivedAt, Value: strconv.AppendInt(nil, now.UnixMilli(), 10)},
	}, more...)
}

// deliver sends the records. A single call with a bad event is answered with
// what is wrong, after the event is safe in Kafka; in a batch the others count.
// rejected is how many of the records are bad ones.
func (h *handler) deliver(e *entry, k *key, wk *work, rejected int) *refusal {
	count := func(outcome string, n int) {
		if n > 0 {
			h.met.events.WithLabelValues(k.source, outcome).Add(float64(n))
		}
	}
	n := len(wk.flight.records)
	if n > 0 {
		if err := h.producer.send(wk.flight, e.route.Patience); err != nil {
			count(outcomeFailed, n)
			return undelivered(err)
		}
	}
	count(outcomeAccepted, n-rejected)
	count(outcomeRejected, rejected)
	if e.route.Single && len(wk.rejects) > 0 {
		return refused(wk.rejects[0])
	}
	return nil
}
