package snowplow

import (
	"io"
	"net/http"

	"github.com/cairnhq/cairn/services/collector/internal/door"
	"github.com/cairnhq/cairn/services/collector/internal/pixel"
)

// answers are what trackers expect: they look at the status alone, and send
// again what was not answered 2xx, 400, 401, 403, 410 or 422.
type answers struct{}

// Accepted gives the network cookie, and "ok" or an image.
func (answers) Accepted(w http.ResponseWriter, in *door.Input, rejects []*door.Reject) {
	giveCookie(w, in)
	noStore(w.Header())
	if in.Method == http.MethodPost {
		text(w, http.StatusOK, "ok")
		return
	}
	pixel.Explain(w.Header(), rejects)
	pixel.WriteGIF(w, http.StatusOK)
}

// Refused says why, in one line.
func (answers) Refused(w http.ResponseWriter, _ *door.Input, r *door.Refusal) {
	noStore(w.Header())
	status := r.Status
	if status == http.StatusRequestEntityTooLarge {
		status = http.StatusBadRequest // trackers would send it for ever
	}
	line := r.Code + ": " + r.Message
	if r.Pointer != "" {
		line = r.Code + ": " + r.Pointer + ": " + r.Message
	}
	text(w, status, line)
}

func text(w http.ResponseWriter, status int, body string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // a client that has gone learns nothing
}

// giveCookie sets, or prolongs, the network user id.
func giveCookie(w http.ResponseWriter, in *door.Input) {
	if in.Carry == "" { // an anonymous visitor
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: CookieName, Value: in.Carry, Path: "/", MaxAge: cookieAge,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteNoneMode, // sites of other domains send it, too
	})
}

func noStore(h http.Header) {
	h.Set("Cache-Control", "no-cache, no-store, must-revalidate")
}
