package posthog

import (
	"net/http"

	"github.com/cairnhq/cairn/services/collector/internal/door"
)

// answers are PostHog's.
type answers struct{}

type accepted struct {
	Status   string   `json:"status"`
	Rejected int      `json:"rejected,omitempty"` // ours: SDKs do not look
	Errors   []string `json:"errors,omitempty"`
}

// maxListed bounds the rejected events that an answer names.
const maxListed = 20

// Accepted answers 200, or 204 to beacons, whose pages are gone.
func (answers) Accepted(w http.ResponseWriter, in *door.Input, rejects []*door.Reject) {
	if in.Query.Get("beacon") == "1" {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	out := accepted{Status: "Ok", Rejected: len(rejects)}
	for _, rej := range rejects[:min(len(rejects), maxListed)] {
		out.Errors = append(out.Errors, rej.Code+": "+rej.String())
	}
	door.WriteJSON(w, http.StatusOK, out)
}

// failure is an error as PostHog writes it. Its Python SDK reads detail.
type failure struct {
	Type   string  `json:"type"`
	Code   string  `json:"code"`
	Detail string  `json:"detail"`
	Attr   *string `json:"attr"`
}

// Refused answers with the refusal's status.
func (answers) Refused(w http.ResponseWriter, _ *door.Input, r *door.Refusal) {
	out := failure{Type: "validation_error", Code: r.Code, Detail: r.Message}
	switch {
	case r.Status == http.StatusUnauthorized:
		out.Type = "authentication_error"
		out.Detail = "The project API key is missing or unknown: send a write key of cairn as api_key or token."
	case r.Status == http.StatusTooManyRequests:
		out.Type = "throttled_error"
	case r.Status >= http.StatusInternalServerError:
		out.Type = "server_error"
	}
	if r.Pointer != "" {
		out.Attr = &r.Pointer
	}
	door.WriteJSON(w, r.Status, out)
}
