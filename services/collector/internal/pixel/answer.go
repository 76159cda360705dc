package pixel

import (
	"html"
	"io"
	"net/http"

	"github.com/cairnhq/cairn/services/collector/internal/door"
)

// answers are an image or a redirect, whatever became of the event: a customer
// who has clicked must get where the link leads.
type answers struct {
	hosts *hosts
	lost  func(reason string)
}

// Accepted answers what is recorded.
func (a *answers) Accepted(w http.ResponseWriter, in *door.Input, rejects []*door.Reject) {
	Explain(w.Header(), rejects)
	if in.Path != clickPath {
		WriteGIF(w, http.StatusOK)
		return
	}
	a.redirect(w, in, "")
}

// Refused answers what is not recorded: a link to an allowed host goes there
// all the same, and is counted.
func (a *answers) Refused(w http.ResponseWriter, in *door.Input, r *door.Refusal) {
	switch {
	case in.Path != clickPath:
		w.Header().Set(headerLost, r.Code)
		WriteGIF(w, r.Status)
	case r.Status == http.StatusMethodNotAllowed:
		page(w, r.Status, "Links are followed with GET.")
	case a.redirect(w, in, r.Code):
		a.lost(r.Code)
	}
}

// redirect leads to the target, or to a page that says why not.
func (a *answers) redirect(w http.ResponseWriter, in *door.Input, reason string) bool {
	target, err := a.hosts.target(in.Query.Get("u"))
	if err != nil {
		page(w, http.StatusBadRequest, sentence(err))
		return false
	}
	h := w.Header()
	if reason != "" {
		h.Set(headerLost, reason)
	}
	noStore(h)
	h.Set("Location", target)
	h.Del("Retry-After")
	h.Del("WWW-Authenticate")
	w.WriteHeader(http.StatusFound)
	return true
}

// page says why a link leads nowhere. It does not show the address: a page must
// not lend its name to it.
func page(w http.ResponseWriter, status int, why string) {
	h := w.Header()
	noStore(h)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `<!doctype html><html lang="en"><meta charset="utf-8"><title>This link leads nowhere</title>`+
		`<body style="font:16px/1.5 system-ui;max-width:36em;margin:15vh auto;padding:0 1em"><h1>This link leads nowhere</h1><p>`+
		html.EscapeString(why)+`</p><p>If you came from a mail, tell its sender.</p></body></html>`) // a client that has gone learns nothing
}
