package collector

import (
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/services/collector/internal/door"
)

// BackfillHeader of a request, with any value, waives the lateness horizon for
// its events: they are history, not news.
const BackfillHeader = "Cairn-Backfill"

// handler serves the front doors.
type handler struct {
	opts     *Options
	keys     *keyring
	producer *producer
	met      *metrics
	bodies   *bodyReader
	slots    chan struct{}       // one per request in flight
	memory   *semaphore.Weighted // bytes of bodies and records
	routes   *routes
	signers  *signers
	draining <-chan struct{} // closed: Run is ending
	topic    string          // touchpoints.raw
}

func newHandler(o *Options, list []door.Door, keys *keyring, p *producer, met *metrics, draining <-chan struct{}) (*handler, error) {
	table, err := newRoutes(list, met, func(source string) *key {
		return &key{source: source, limiter: newLimiter(o)}
	})
	if err != nil {
		return nil, err
	}
	return &handler{
		opts: o, keys: keys, producer: p, met: met, draining: draining, routes: table, signers: newSigners(o, keys),
		bodies: &bodyReader{max: o.MaxBatchBytes},
		slots:  make(chan struct{}, o.MaxInFlight),
		memory: semaphore.NewWeighted(int64(o.MaxBufferedBytes)),
		topic:  stream.Qualify(o.Namespace, stream.TopicRaw),
	}, nil
}

// ServeHTTP finds the front door of a request. All of them are counted and
// timed.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	h.met.inFlight.Inc()
	defer h.met.inFlight.Dec()
	crossSite := allowCORS(w, r)
	if crossSite && !h.keys.origin(r.Header.Get("Origin")) {
		denyCORS(w.Header())
	}
	at, path := h.routes.find(r.URL.Path)
	if at == nil {
		notFound().write(w, door.JSON{}, &door.Input{Method: r.Method, Path: path, Header: r.Header}, crossSite)
		h.count("none", "other", http.StatusNotFound, begin)
		return
	}
	e := at.methods[r.Method]
	switch {
	case e == nil && r.Method == http.MethodOptions:
		preflight(w, r, at)
		h.count(at.doors, at.name, http.StatusNoContent, begin)
	case e == nil:
		h.badMethod(w, r, at, crossSite)
		h.count(at.doors, at.name, http.StatusMethodNotAllowed, begin)
	case e.route.Serve != nil:
		answer := recorder{ResponseWriter: w}
		e.route.Serve(&answer, r)
		h.done(e, answer.code(), begin)
	default:
		h.done(e, h.events(w, r, e, path, crossSite, begin), begin) //nolint:contextcheck // a client that hangs up cancels nothing
	}
}

// done counts an answer.
func (h *handler) done(e *entry, status int, begin time.Time) {
	if status == http.StatusOK {
		e.ok.Inc()
	} else {
		h.met.requests.WithLabelValues(e.door.Name, e.route.Path, strconv.Itoa(status)).Inc()
	}
	e.time.Observe(time.Since(begin).Seconds())
}

func (h *handler) count(doors, name string, status int, begin time.Time) {
	h.met.requests.WithLabelValues(doors, name, strconv.Itoa(status)).Inc()
	h.met.duration.WithLabelValues(doors, name).Observe(time.Since(begin).Seconds())
}

func (h *handler) badMethod(w http.ResponseWriter, r *http.Request, at *route, crossSite bool) {
	w.Header().Set("Allow", at.allow)
	in := door.Input{Method: r.Method, Path: at.name, Header: r.Header}
	ref := refusal{status: http.StatusMethodNotAllowed, code: codeBadMethod, message: "This path takes " + at.allow + "."}
	ref.write(w, at.any().door.Answer, &in, crossSite)
}

// events takes and answers a request that brings events. It returns the
// answer's status.
func (h *handler) events(w http.ResponseWriter, r *http.Request, e *entry, path string, crossSite bool, begin time.Time) int {
	wk := h.work(e, r, path)
	wk.answer = recorder{ResponseWriter: w}
	ref := h.serve(r, e, begin, wk)
	if ref == nil {
		e.door.Answer.Accepted(&wk.answer, &wk.in, wk.rejects)
	} else {
		if ref.err != nil {
			h.opts.Log.Warn("request refused", zap.String("door", e.door.Name), zap.String("route", e.route.Path), zap.Int("status", ref.status), zap.Error(ref.err))
		}
		ref.write(&wk.answer, e.door.Answer, &wk.in, crossSite)
	}
	status := wk.answer.code()
	h.release(e, wk)
	return status
}
