//go:build linux

package e2e

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// fault is how a front answers a request instead of the collector.
type fault struct {
	status     int
	retryAfter string
	// lost: the collector has taken the events, but its answer does not arrive. A
	// client cannot know, and sends them again.
	lost bool
}

// allFaults: overloaded, limited, and an answer that is lost. The collector sends
// Retry-After with both.
func allFaults() []fault {
	return []fault{{status: 503, retryAfter: "1"}, {status: 429, retryAfter: "1"}, {status: 503, retryAfter: "1", lost: true}}
}

// front stands before a collector and lets the first requests with events fail.
type front struct {
	url   string
	proxy *httputil.ReverseProxy

	mu   sync.Mutex
	left []fault
}

func newFront(t *testing.T, collector string, faults []fault) *front {
	t.Helper()
	target, err := url.Parse(collector)
	require.NoError(t, err)
	f := &front{left: slices.Clone(faults), proxy: &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host // settings name the host that was asked
	}}}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

// unused are the faults that nobody has met.
func (f *front) unused() []fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.left
}

// next is the fault of a request; false: none.
func (f *front) next(r *http.Request) (fault, bool) {
	// Questions for settings and flags bring no events.
	if r.Method != http.MethodPost || strings.HasPrefix(r.URL.Path, "/flags") {
		return fault{}, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.left) == 0 {
		return fault{}, false
	}
	first := f.left[0]
	f.left = f.left[1:]
	return first, true
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fail, fails := f.next(r)
	if !fails {
		f.proxy.ServeHTTP(w, r)
		return
	}
	if fail.lost {
		f.proxy.ServeHTTP(httptest.NewRecorder(), r)
	}
	// As the collector does: without these a browser's script sees no status.
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Expose-Headers", "Retry-After")
	h.Set("Retry-After", fail.retryAfter)
	h.Set("Content-Type", "application/json")
	w.WriteHeader(fail.status)
	_, _ = w.Write([]byte(`{"success":false,"code":"of_the_test","message":"Not now."}`))
}
