package cloudevent

import (
	"net/http"

	"github.com/cairnhq/cairn/services/collector/internal/door"
)

// Door is that of CloudEvents: its own path, and the root, where many senders
// know of a host only.
func Door() door.Door {
	return door.Door{
		Name:      "cloudevents",
		Routes:    []door.Route{{Path: "/cloudevents"}, {Path: "/"}},
		New:       func() door.Request { return new(Request) },
		Key:       door.QueryKey,
		Preflight: handshake,
		Answer:    answers{},
	}
}

// handshake lets a webhook sender in that asks first (CloudEvents HTTP 1.1 Web
// Hooks, section 4): write keys, not senders, are what is checked, and what is
// too much is answered 429.
func handshake(answer http.Header, r *http.Request) {
	origin := r.Header.Get("WebHook-Request-Origin")
	if origin == "" {
		return
	}
	answer.Set("WebHook-Allowed-Origin", origin)
	answer.Set("WebHook-Allowed-Rate", "*")
}

// answers are JSON. A request with one event is refused when the event is.
type answers struct{}

func (answers) Accepted(w http.ResponseWriter, in *door.Input, rejects []*door.Reject) {
	if in.Carry != carrySingle || len(rejects) == 0 {
		door.JSON{}.Accepted(w, in, rejects)
		return
	}
	rej, status := rejects[0], http.StatusBadRequest
	if rej.Code == door.CodeTooLarge {
		status = http.StatusRequestEntityTooLarge
	}
	door.JSON{}.Refused(w, in, &door.Refusal{Status: status, Code: rej.Code, Message: rej.Message, Pointer: rej.Pointer})
}

func (answers) Refused(w http.ResponseWriter, in *door.Input, r *door.Refusal) {
	door.JSON{}.Refused(w, in, r)
}
