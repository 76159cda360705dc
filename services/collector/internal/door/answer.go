package door

import (
	"encoding/json"
	"net/http"
)

// Answerer writes a protocol's answers. Safe for concurrent use. Errors of
// writing are nobody's business: a client that has gone learns nothing.
type Answerer interface {
	// Accepted is called when Kafka has every event of the request; rejects are
	// those that were taken for touchpoints.rejected only. They must not be kept.
	Accepted(w http.ResponseWriter, in *Input, rejects []*Reject)
	// Refused is called when the request was not taken, or its only event is bad.
	// Retry-After, CORS and Connection are set before. Of the input only Method,
	// Path, Kind, Query and Header are sure to be set.
	Refused(w http.ResponseWriter, in *Input, r *Refusal)
}

// Refusal is an answer that takes nothing.
type Refusal struct {
	Status  int // what the collector would answer; a door may have its own
	Code    string
	Message string
	Pointer string // JSON pointer into the body, or ""
}

// maxListed bounds the rejected events that an answer names.
const maxListed = 20

// JSON answers as cairn does where a protocol names no body: success, and what
// is wrong. It is what Segment's clients get.
type JSON struct{}

// Problem is what an answer says of a rejected event.
type Problem struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Pointer string `json:"pointer"`
}

type answer struct {
	Success bool `json:"success"`
	// Segment's and RudderStack's Python SDKs read these two of an error, and take
	// their absence for a failure of the network: they would send again.
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`

	Error    *Problem  `json:"error,omitempty"`
	Rejected int       `json:"rejected,omitempty"`
	Errors   []Problem `json:"errors,omitempty"`
}

// Accepted answers 200 and names the events that were rejected.
func (JSON) Accepted(w http.ResponseWriter, _ *Input, rejects []*Reject) {
	if len(rejects) == 0 {
		setJSON(w.Header())
		_, _ = w.Write([]byte(`{"success":true}`))
		return
	}
	WriteJSON(w, http.StatusOK, answer{Success: true, Rejected: len(rejects), Errors: Problems(rejects)})
}

// Refused answers with the refusal's status and what is wrong.
func (JSON) Refused(w http.ResponseWriter, _ *Input, r *Refusal) {
	WriteJSON(w, r.Status, answer{Code: r.Code, Message: r.Message, Error: &Problem{r.Code, r.Message, r.Pointer}})
}

// Problems are the first rejects, as an answer names them.
func Problems(rejects []*Reject) []Problem {
	out := make([]Problem, 0, maxListed)
	for _, rej := range rejects[:min(len(rejects), maxListed)] {
		out = append(out, Problem{rej.Code, rej.Message, rej.Pointer})
	}
	return out
}

// WriteJSON answers with v as JSON.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	setJSON(w.Header())
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
}

func setJSON(h http.Header) {
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
}
