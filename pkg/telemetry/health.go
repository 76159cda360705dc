package telemetry

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"sort"
	"sync"
)

// Health gathers what the parts of a process say about themselves. The zero
// value is ready to use: alive, and ready as long as nothing is registered.
// Safe for concurrent use. Checks are called at every probe, so they must
// answer at once, from memory.
type Health struct {
	mu       sync.Mutex
	ready    map[string]func() error
	live     map[string]func() error
	draining bool
}

// Register adds a part that must be ready before the process is. ready returns
// nil, or an error whose sentence names what is missing. A second registration
// under the same name replaces the first.
func (h *Health) Register(name string, ready func() error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ready == nil {
		h.ready = map[string]func() error{}
	}
	h.ready[name] = ready
}

// RegisterLive adds a part whose failure means that only a restart helps, like
// a loop that makes no progress. It must not depend on other machines.
func (h *Health) RegisterLive(name string, live func() error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.live == nil {
		h.live = map[string]func() error{}
	}
	h.live[name] = live
}

// Drain makes the process not ready for good: it is shutting down and load
// balancers should look elsewhere.
func (h *Health) Drain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.draining = true
}

// Report is the body of /readyz and /livez.
type Report struct {
	Status  string            `json:"status"`            // ok, not_ready, not_alive or draining
	Missing map[string]string `json:"missing,omitempty"` // part -> sentence
	Checks  map[string]string `json:"checks,omitempty"`  // part -> ok or the sentence
}

// Ready asks every registered part.
func (h *Health) Ready() Report {
	h.mu.Lock()
	checks, draining := copyOf(h.ready), h.draining
	h.mu.Unlock()
	r := ask(checks, "not_ready")
	if draining {
		r.Status = "draining"
	}
	return r
}

// Err is nil when the process is ready, else all that is missing, joined, each
// with its part's name.
func (h *Health) Err() error {
	r := h.Ready()
	if r.Status == "ok" {
		return nil
	}
	names := make([]string, 0, len(r.Missing))
	for n := range r.Missing {
		names = append(names, n)
	}
	sort.Strings(names)
	var errs []error
	for _, n := range names {
		errs = append(errs, errors.New(n+": "+r.Missing[n]))
	}
	if r.Status == "draining" {
		errs = append(errs, errors.New("shutting down"))
	}
	return errors.Join(errs...)
}

// Live asks every part registered with RegisterLive.
func (h *Health) Live() Report {
	h.mu.Lock()
	checks := copyOf(h.live)
	h.mu.Unlock()
	return ask(checks, "not_alive")
}

func copyOf(m map[string]func() error) map[string]func() error {
	out := make(map[string]func() error, len(m))
	maps.Copy(out, m) // never nil, unlike a clone
	return out
}

// ask runs the checks outside the lock: a check may register another.
func ask(checks map[string]func() error, bad string) Report {
	r := Report{Status: "ok", Checks: map[string]string{}}
	for name, check := range checks {
		r.Checks[name] = "ok"
		if err := check(); err != nil {
			if r.Missing == nil {
				r.Missing = map[string]string{}
			}
			r.Checks[name], r.Missing[name], r.Status = err.Error(), err.Error(), bad
		}
	}
	return r
}

// Handler serves GET /livez and /readyz: 200, or 503 with what is missing, as JSON.
func (h *Health) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { writeReport(w, h.Live()) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { writeReport(w, h.Ready()) })
	return mux
}

func writeReport(w http.ResponseWriter, r Report) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if r.Status != "ok" {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(r) // the prober hung up: nobody left to tell
}
