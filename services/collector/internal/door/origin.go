package door

import "net/http"

// Origin is how the client has reached the collector, for answers that tell it
// where to send. A proxy's word on the scheme is believed from anybody: it only
// decides what its own client is told (see Cache).
func Origin(r *http.Request) (scheme, host string) {
	scheme = "http"
	if r.TLS != nil {
		scheme = "https"
	}
	if said := r.Header.Get("X-Forwarded-Proto"); said == "http" || said == "https" {
		scheme = said
	}
	return scheme, r.Host
}

// Cache lets browsers keep an answer for five minutes, by what Origin reads.
func Cache(h http.Header) {
	h.Set("Cache-Control", "public, max-age=300")
	h.Add("Vary", "X-Forwarded-Proto")
}
