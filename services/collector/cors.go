package collector

import (
	"net/http"
	"strings"
)

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

// usualHeaders are those that the SDKs send, for a preflight that names none.
const usualHeaders = "authorization, content-type, content-encoding, x-retry-count, anonymousid, sentat, sp-anonymous"

// preflight answers OPTIONS.
func preflight(w http.ResponseWriter, r *http.Request, at *route) {
	h := w.Header()
	asked := strings.TrimSpace(r.Header.Get("Access-Control-Request-Headers"))
	if asked == "" {
		asked = usualHeaders
	}
	h.Add("Vary", "Access-Control-Request-Headers")
	h.Set("Access-Control-Allow-Headers", asked)
	h.Set("Access-Control-Allow-Methods", at.allow)
	h.Set("Access-Control-Max-Age", "3600")
	h.Set("Allow", at.allow)
	if more := at.any().door.Preflight; more != nil {
		more(h, r)
	}
	w.WriteHeader(http.StatusNoContent)
}
