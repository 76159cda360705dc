package collector

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cairnhq/cairn/services/collector/internal/door"
)

// Codes of answers beside those of package segment.
const (
	codeUnauthorized = "unauthorized"
	codeNotFound     = "not_found"
	codeBadMethod    = "method_not_allowed"
	codeBadEncoding  = "bad_encoding"
	codeReadFailed   = "read_failed"
	codeRateLimited  = "rate_limited"
	codeOverloaded   = "overloaded"
	codeKafkaAway    = "kafka_unavailable"
	codeUnknown      = "delivery_unknown"
)

// maxListed bounds the rejected events that an answer names.
const maxListed = 20

// refusal is an answer other than 200.
type refusal struct {
	status  int
	code    string
	message string
	pointer string
	retry   time.Duration // of Retry-After, rounded up to seconds; 0: none
	err     error         // for the log; nil: the client's doing
}

type failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Pointer string `json:"pointer"`
}

type answer struct {
	Success  bool      `json:"success"`
	Error    *failure  `json:"error,omitempty"`
	Rejected int       `json:"rejected,omitempty"`
	Errors   []failure `json:"errors,omitempty"`
}

// refused turns a reject of a whole body, or of a single event, into an answer.
func refused(rej *door.Reject) *refusal {
	status := http.StatusBadRequest
	if rej.Code == door.CodeTooLarge || rej.Code == door.CodeTooManyEvents {
		status = http.StatusRequestEntityTooLarge
	}
	return &refusal{status: status, code: rej.Code, message: rej.Message, pointer: rej.Pointer}
}

func (f *refusal) write(w http.ResponseWriter, origin bool) {
	h := w.Header()
	if f.retry > 0 {
		seconds := int64((f.retry + time.Second - 1) / time.Second)
		h.Set("Retry-After", strconv.FormatInt(seconds, 10))
		if f.status == http.StatusTooManyRequests {
			h.Set("X-Ratelimit-Reset", strconv.FormatInt(time.Now().Unix()+seconds, 10))
		}
	}
	// With this header a browser would ask the visitor for a password.
	if f.status == http.StatusUnauthorized && !origin {
		h.Set("WWW-Authenticate", `Basic realm="cairn"`)
	}
	if f.status == http.StatusRequestTimeout || f.status == http.StatusRequestEntityTooLarge {
		h.Set("Connection", "close") // the rest of the body is not worth reading
	}
	writeJSON(w, f.status, answer{Error: &failure{f.code, f.message, f.pointer}})
}

// writeAccepted answers 200 and names the events that were rejected.
func writeAccepted(w http.ResponseWriter, rejected []*door.Reject) {
	if len(rejected) == 0 {
		setJSON(w.Header())
		_, _ = w.Write([]byte(`{"success":true}`)) // a client that has gone learns nothing
		return
	}
	a := answer{Success: true, Rejected: len(rejected)}
	for _, rej := range rejected[:min(len(rejected), maxListed)] {
		a.Errors = append(a.Errors, failure{rej.Code, rej.Message, rej.Pointer})
	}
	writeJSON(w, http.StatusOK, a)
}

func writeJSON(w http.ResponseWriter, status int, a answer) {
	setJSON(w.Header())
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(a) // a client that has gone learns nothing
}

func setJSON(h http.Header) {
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
}

// allowCORS answers any site: write keys, not sites, are what is checked. It
// reports whether a browser asks from another site.
func allowCORS(w http.ResponseWriter, r *http.Request) bool {
	h := w.Header()
	h.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Expose-Headers", "Retry-After, X-Ratelimit-Reset")
	return true
}

// preflight answers OPTIONS.
func preflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	asked := strings.TrimSpace(r.Header.Get("Access-Control-Request-Headers"))
	if asked == "" {
		asked = "authorization, content-type, content-encoding, x-retry-count"
	}
	h.Add("Vary", "Access-Control-Request-Headers")
	h.Set("Access-Control-Allow-Headers", asked)
	h.Set("Access-Control-Allow-Methods", "POST, OPTIONS")
	h.Set("Access-Control-Max-Age", "3600")
	h.Set("Allow", "POST, OPTIONS")
	w.WriteHeader(http.StatusNoContent)
}
