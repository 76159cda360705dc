// Package privacy decides what a source's rules leave of a touchpoint: consent,
// Do-Not-Track, and rules for personal data. It does no I/O.
package privacy

import (
	"strings"

	"github.com/cairnhq/cairn/services/collector/internal/pii"
	"github.com/cairnhq/cairn/services/collector/internal/sources"
)

// Reasons for which an event is not stored.
const (
	ReasonConsent    = "consent"
	ReasonDoNotTrack = "do_not_track"
)

// Rules of a source, for one request. Safe for concurrent use.
type Rules struct {
	DoNotTrack string     // drop or anonymise; anything else: the request does not ask, or is not heard
	Required   []string   // categories of consent; none: nothing is looked at
	OnMissing  string     // sources.Accept, Drop or Anonymise
	PII        *pii.Rules // nil: none
	Secret     []byte     // of the namespace, for ids of anonymised events
}

// Idle reports whether the rules change nothing.
func (r *Rules) Idle() bool {
	return r.PII == nil && len(r.Required) == 0 && r.DoNotTrack != sources.Drop && r.DoNotTrack != sources.Anonymise
}

// Screen returns a record's value and key as they may be stored, or why the
// record may not. rejected says that the value is the event as it came, in its
// protocol's own form, with no key.
//
// A rejected event is not anonymised but dropped: what it holds is not known.
func (r *Rules) Screen(value, key []byte, rejected bool) (newValue, newKey []byte, dropped string) {
	do, why := r.DoNotTrack, ReasonDoNotTrack
	if do != sources.Drop && len(r.Required) > 0 {
		if c := r.consent(value); c != sources.Accept && (c == sources.Drop || do != sources.Anonymise) {
			do, why = c, ReasonConsent
		}
	}
	switch {
	case do == sources.Drop, do == sources.Anonymise && rejected:
		return nil, nil, why
	case do == sources.Anonymise:
		anonymous, id, ok := anonymise(value, r.Secret)
		if !ok {
			return nil, nil, why
		}
		value, key = anonymous, id
	}
	if rejected {
		return r.PII.Rejected(value), key, ""
	}
	cleaned, ok := r.PII.Touchpoint(value)
	if !ok { // a door's mistake: better nothing than everything
		return []byte(pii.Unreadable), key, ""
	}
	return cleaned, key, ""
}

// consent is what becomes of an event by what it says on the required
// categories. One that is denied is never accepted.
func (r *Rules) consent(value []byte) string {
	said := readConsent(value)
	missing := false
	for _, category := range r.Required {
		switch said.of(category) {
		case denied:
			if r.OnMissing == sources.Anonymise {
				return sources.Anonymise
			}
			return sources.Drop
		case unsaid:
			missing = true
		case granted:
		}
	}
	if missing {
		return r.OnMissing
	}
	return sources.Accept
}

func sameCategory(a, b string) bool {
	return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b))
}
