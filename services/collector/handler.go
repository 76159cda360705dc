package collector

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"

	"github.com/cairnhq/cairn/pkg/enrich"
	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/services/collector/internal/door"
	"github.com/cairnhq/cairn/services/collector/internal/segment"
)

// BackfillHeader of a request, with any value, waives the lateness horizon for
// its events: they are history, not news.
const BackfillHeader = "Cairn-Backfill"

// maxRecord is what surely fits into a Kafka record under the usual limit of
// 1 MiB a batch.
const maxRecord = 900 << 10

// handler serves the front doors.
type handler struct {
	opts     *Options
	keys     *keyring
	producer *producer
	met      *metrics
	bodies   *bodyReader
	slots    chan struct{}       // one per request in flight
	memory   *semaphore.Weighted // bytes of bodies and records
	routes   map[string]route    // by path without trailing slash
	works    sync.Pool           // of *work
	draining <-chan struct{}     // closed: Run is ending
	topic    string              // touchpoints.raw
}

// route is one front door.
type route struct {
	name string // label of metrics
	call string // the call that the path names; "" for a batch
}

func segmentRoutes() map[string]route {
	routes := map[string]route{"/v1/batch": {name: "/v1/batch"}}
	for _, call := range []string{"track", "page", "screen", "identify", "group", "alias"} {
		routes["/v1/"+call] = route{"/v1/" + call, call}
	}
	return routes
}

func newHandler(o *Options, keys *keyring, p *producer, met *metrics, draining <-chan struct{}) *handler {
	return &handler{
		opts: o, keys: keys, producer: p, met: met, draining: draining,
		bodies: &bodyReader{max: o.MaxBatchBytes},
		slots:  make(chan struct{}, o.MaxInFlight),
		memory: semaphore.NewWeighted(int64(o.MaxBufferedBytes)),
		routes: segmentRoutes(),
		topic:  stream.Qualify(o.Namespace, stream.TopicRaw),
	}
}

// work is what one request needs, used again for the next.
type work struct {
	buffers buffers
	request segment.Request
	rejects []*door.Reject
	flight  *flight
}

// ServeHTTP counts and times requests around serve.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	h.met.inFlight.Inc()
	defer h.met.inFlight.Dec()
	origin := allowCORS(w, r)
	rt, known := h.routes[strings.TrimSuffix(r.URL.Path, "/")]
	status := http.StatusOK
	switch {
	case !known:
		rt.name, status = "other", http.StatusNotFound
		(&refusal{status: status, code: codeNotFound, message: "There is no such path: events go to /v1/batch or /v1/track, page, screen, identify, group, alias."}).write(w, origin)
	case r.Method == http.MethodOptions:
		status = http.StatusNoContent
		preflight(w, r)
	case r.Method != http.MethodPost:
		status = http.StatusMethodNotAllowed
		w.Header().Set("Allow", "POST, OPTIONS")
		(&refusal{status: status, code: codeBadMethod, message: "Events are sent with POST."}).write(w, origin)
	default:
		if ref := h.serve(w, r, rt, begin); ref != nil { //nolint:contextcheck // a client that hangs up cancels nothing
			status = ref.status
			if ref.err != nil {
				h.opts.Log.Warn("request refused", zap.String("route", rt.name), zap.Int("status", status), zap.Error(ref.err))
			}
			ref.write(w, origin)
		}
	}
	h.met.requests.WithLabelValues(rt.name, strconv.Itoa(status)).Inc()
	h.met.duration.WithLabelValues(rt.name).Observe(time.Since(begin).Seconds())
}

// serve takes one request, and answers it unless it returns a refusal.
func (h *handler) serve(w http.ResponseWriter, r *http.Request, rt route, now time.Time) *refusal {
	select {
	case <-h.draining:
		return away("This collector is shutting down: try again.", nil)
	default:
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	default:
		return overloaded("Too many requests are in flight: try again.")
	}
	var k *key
	if writeKey, present := headerKey(r.Header); present {
		if k = h.keys.find(writeKey); k == nil {
			return unauthorized()
		}
		if ref := k.exhausted(now); ref != nil {
			return ref
		}
	}
	if why := h.producer.away.Load(); why != nil {
		return away("Kafka cannot take events now: try again. The reason: "+*why+".", nil)
	}
	wk := h.work()
	ref := h.take(r, rt, k, now, wk)
	if ref == nil {
		writeAccepted(w, wk.rejects)
	}
	if ref == nil || !errors.Is(ref.err, errUnknown) { // else its records are still in the air
		h.release(wk)
	}
	return ref
}

// take reads the request, sends its events and returns nil when all are
// acknowledged. k is nil if the key must be in the body.
func (h *handler) take(r *http.Request, rt route, k *key, now time.Time, wk *work) *refusal {
	room := reservation{memory: h.memory}
	defer room.release()
	body, ref := h.bodies.read(r, &wk.buffers, &room)
	if ref != nil {
		return ref
	}
	if !room.grow(int64(len(body))) { // for the records
		return tooMuchInFlight()
	}
	h.met.bytes.WithLabelValues("in").Add(float64(len(body)))
	rej := wk.request.Decode(&door.Input{Body: body, Kind: rt.call}, h.opts.limits())
	if k == nil {
		// A body that is no JSON has no key either, but its sender is helped more
		// by hearing about the JSON.
		if rej != nil && rej.Code == door.CodeBadJSON {
			return refused(rej)
		}
		if k = h.keys.find(wk.request.WriteKey()); k == nil {
			return unauthorized()
		}
	}
	if rej != nil {
		return refused(rej)
	}
	n := len(wk.request.Events)
	if ref := k.spend(now, n); ref != nil {
		h.met.events.WithLabelValues(k.source, outcomeRefused).Add(float64(n))
		return ref
	}
	if ref := h.fill(r, k, now, wk); ref != nil {
		return ref
	}
	return h.deliver(rt, k, wk)
}

// fill makes the records of all events.
func (h *handler) fill(r *http.Request, k *key, now time.Time, wk *work) *refusal {
	meta := door.Meta{ReceivedAt: now, Source: k.source}
	if fromBrowser(r) {
		meta.IP = enrich.TruncateIP(clientIP(r, h.opts.TrustedProxies))
		meta.UserAgent = strings.ToValidUTF8(r.UserAgent(), "\uFFFD")
	}
	var headers []kgo.RecordHeader
	if r.Header.Get(BackfillHeader) != "" {
		headers = []kgo.RecordHeader{{Key: wire.HeaderBackfill, Value: []byte("1")}}
	}
	f := wk.flight
	for i := range wk.request.Events {
		var rec door.Record
		rec, f.values = wk.request.Append(i, &meta, f.values)
		if len(f.values) > memoryPerBatch*h.opts.MaxBatchBytes {
			return refused(&door.Reject{
				Code: door.CodeTooLarge, Message: "The batch's context, written into each event, takes too much: send smaller batches.", Pointer: "/context",
			})
		}
		out := kgo.Record{Topic: h.topic, Key: rec.Key, Value: rec.Value, Headers: headers, Timestamp: now}
		if rec.Reject != nil {
			if len(rec.Value) > maxRecord {
				return refused(rec.Reject)
			}
			wk.rejects = append(wk.rejects, rec.Reject)
			h.met.rejects.WithLabelValues(k.source, rec.Reject.Code).Inc()
			out.Headers = rejectedHeaders(rec.Reject, k.source, now, headers)
		}
		f.records = append(f.records, out)
	}
	h.met.bytes.WithLabelValues("out").Add(float64(len(f.values)))
	return nil
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
func (h *handler) deliver(rt route, k *key, wk *work) *refusal {
	count := func(outcome string, n int) {
		if n > 0 {
			h.met.events.WithLabelValues(k.source, outcome).Add(float64(n))
		}
	}
	n := len(wk.flight.records)
	if n > 0 {
		if err := h.producer.send(wk.flight); err != nil {
			count(outcomeFailed, n)
			return undelivered(err)
		}
	}
	count(outcomeAccepted, n-len(wk.rejects))
	count(outcomeRejected, len(wk.rejects))
	if rt.call != "" && len(wk.rejects) > 0 {
		return refused(wk.rejects[0])
	}
	return nil
}

func undelivered(err error) *refusal {
	switch {
	case errors.Is(err, errBufferFull):
		return overloaded("Too many events are on their way to Kafka: try again.")
	case errors.Is(err, errUnknown):
		ref := away("Kafka has not acknowledged the events in time: send them again, with the same messageIds.", err)
		ref.code = codeUnknown
		return ref
	}
	return away("Kafka has not taken the events: send them again.", fmt.Errorf("produce: %w", err))
}

func away(message string, err error) *refusal {
	return &refusal{status: http.StatusServiceUnavailable, code: codeKafkaAway, message: message, retry: 5 * time.Second, err: err}
}

func overloaded(message string) *refusal {
	return &refusal{status: http.StatusServiceUnavailable, code: codeOverloaded, message: message, retry: time.Second}
}

func unauthorized() *refusal {
	return &refusal{
		status: http.StatusUnauthorized, code: codeUnauthorized,
		message: "The write key is missing or unknown: send it as the user name of HTTP Basic or as writeKey in the body.",
	}
}

// exhausted refuses when the key has nothing left to spend at all: before the
// body is read.
func (k *key) exhausted(now time.Time) *refusal {
	if k.limiter == nil || k.limiter.TokensAt(now) >= 1 {
		return nil
	}
	return limited(time.Second)
}

// spend takes n events from the key's allowance, or says when to come back.
func (k *key) spend(now time.Time, n int) *refusal {
	if k.limiter == nil || n == 0 {
		return nil
	}
	r := k.limiter.ReserveN(now, n)
	if wait := r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return limited(wait)
	}
	return nil
}

func limited(wait time.Duration) *refusal {
	return &refusal{
		status: http.StatusTooManyRequests, code: codeRateLimited, retry: min(wait, 300*time.Second),
		message: "This write key sends more events than it may: try again after the time in Retry-After.",
	}
}

// work takes an idle one or makes a new one.
func (h *handler) work() *work {
	if wk, _ := h.works.Get().(*work); wk != nil {
		return wk
	}
	return &work{flight: newFlight()}
}

// maxKept bounds the memory that an idle work keeps.
const maxKept = 1 << 20

func (h *handler) release(wk *work) {
	if cap(wk.flight.values)+cap(wk.buffers.sent)+cap(wk.buffers.plain) > maxKept {
		return
	}
	clear(wk.rejects)
	wk.rejects = wk.rejects[:0]
	wk.flight.reset()
	h.works.Put(wk)
}
