package collector

import (
	"net/http"

	"github.com/cairnhq/cairn/services/collector/internal/privacy"
)

const codeBadOrigin = "origin_refused"

// checkOrigin refuses what a browser sends for a source from a site that may
// not. The answer is then none that the site's script could read.
func (h *handler) checkOrigin(w http.ResponseWriter, r *http.Request, k *key) *refusal {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return nil
	}
	p := h.keys.policyOf(k)
	if p == nil || p.Origin(origin) {
		return nil
	}
	denyCORS(w.Header())
	return &refusal{status: http.StatusForbidden, code: codeBadOrigin, message: "This write key is not for pages of this site."}
}

func denyCORS(h http.Header) {
	for _, name := range [...]string{"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers"} {
		h.Del(name)
	}
}

// doNotTrack reports whether the browser asks not to be followed.
func doNotTrack(r *http.Request) bool {
	return r.Header.Get("Sec-GPC") == "1" || r.Header.Get("DNT") == "1"
}

// screened says how many records of a flight are gone.
type screened struct{ accepted, rejected int }

// screen applies what is said of a key's source to the records that were made for
// it: some go, some change.
func (h *handler) screen(k *key, dnt bool, f *flight) (gone screened) {
	p := h.keys.policyOf(k)
	if p == nil {
		return screened{}
	}
	rules := privacy.Rules{PII: p.pii, Required: p.Consent.Required, OnMissing: p.Consent.OnMissing, Secret: h.opts.Secret}
	if dnt {
		rules.DoNotTrack = p.DoNotTrack
	}
	if rules.Idle() {
		return screened{}
	}
	kept := f.records[:0]
	for i := range f.records {
		rec := &f.records[i]
		bad := rec.Key == nil // a rejected event has none
		value, key, why := rules.Screen(rec.Value, rec.Key, bad)
		if why == "" {
			rec.Value, rec.Key = value, key
			kept = append(kept, *rec)
			continue
		}
		h.met.dropped.WithLabelValues(p.Name, why).Inc()
		if bad {
			gone.rejected++
		} else {
			gone.accepted++
		}
	}
	clear(f.records[len(kept):])
	f.records = kept
	if n := gone.accepted + gone.rejected; n > 0 {
		h.met.events.WithLabelValues(k.source, outcomeDropped).Add(float64(n))
	}
	return gone
}
