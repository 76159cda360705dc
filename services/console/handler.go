package console

import (
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cairnhq/cairn/services/console/web"
)

// securityPolicy lets the page load nothing but its own files and talk to
// nobody but its own console, and lets nobody frame it.
const securityPolicy = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// handler is everything the console serves, with its guards around it.
func (s *Service) handler() (http.Handler, error) {
	files, err := newAssets(web.Dist())
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", s.observe("page", http.HandlerFunc(files.page)))
	mux.Handle("GET /assets/{name}", s.observe("asset", http.HandlerFunc(files.asset)))
	mux.Handle("GET /api/v1/journey-map", s.observe("journey-map", http.HandlerFunc(s.journeyMap)))
	mux.Handle("GET /api/", s.observe("other", http.HandlerFunc(noSuchCall)))
	return s.guard(mux), nil
}

func noSuchCall(w http.ResponseWriter, _ *http.Request) {
	writeError(w, http.StatusNotFound, apiError{Error: "There is no such call; see GET /api/v1/journey-map."})
}

// guard sets the headers that every answer has and refuses strange hosts.
func (s *Service) guard(next http.Handler) http.Handler {
	local := isLoopback(s.o.Listener.Addr())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", securityPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if local && !s.knows(r.Host) {
			writeError(w, http.StatusMisdirectedRequest, apiError{
				Error: "This console does not answer to the name " + strconv.Quote(r.Host) + "; open it by its own address.",
			})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// knows tells whether a Host header names this console.
func (s *Service) knows(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.TrimSuffix(strings.Trim(name, "[]"), "."))
	if ip := net.ParseIP(name); ip != nil {
		return true // an address cannot be rebound
	}
	return name == "localhost" || strings.HasSuffix(name, ".localhost") || slices.Contains(s.o.AllowedHosts, name)
}

func isLoopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// observe counts and times the answers of a route.
func (s *Service) observe(route string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		rec := &recorder{ResponseWriter: w, code: http.StatusOK}
		next.ServeHTTP(rec, r)
		s.metrics.requests.WithLabelValues(route, strconv.Itoa(rec.code)).Inc()
		s.metrics.durations.WithLabelValues(route).Observe(time.Since(start).Seconds())
	})
}

// recorder remembers the status code.
type recorder struct {
	http.ResponseWriter
	code int
}

func (r *recorder) WriteHeader(code int) {
	r.code = code
	r.ResponseWriter.WriteHeader(code)
}

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
