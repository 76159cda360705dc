package journeytest

import (
	"cmp"
	"slices"
	"strings"

	"github.com/cairnhq/cairn/pkg/journey"
)

// link says that an identifier was used by a user (semantics.md D4).
type link struct {
	time      int64
	messageID string
	user      string
}

func (l link) compare(o link) int {
	return cmp.Or(cmp.Compare(l.time, o.time), strings.Compare(l.messageID, o.messageID), strings.Compare(l.user, o.user))
}

// assignOwners fills a.Owners with the profile of every point (D4, then D5) and
// a.Frozen with the identifiers and users that a limit froze.
func assignOwners(o Options, m *journey.Model, points []*journey.Touchpoint, a *Answer) {
	links := linksOf(m, points, a)
	names := profileNames(points, a)
	for _, p := range points {
		if o.Owners == OwnersGiven && p.Owner != "" {
			a.Owners[pointOf(p)] = p.Owner
			continue
		}
		user := p.UserID
		if user == "" {
			user = linkedUser(links[p.Identifier], p)
		}
		switch {
		case user == "":
			a.Owners[pointOf(p)] = p.Identifier
		case names[user] != "":
			a.Owners[pointOf(p)] = userProfile(names[user])
		default:
			a.Owners[pointOf(p)] = userProfile(user)
		}
	}
	slices.Sort(a.Frozen)
}

// linksOf collects each identifier's links, sorted. A frozen identifier has none.
func linksOf(m *journey.Model, points []*journey.Touchpoint, a *Answer) map[string][]link {
	links := map[string][]link{}
	for _, p := range points {
		if p.UserID == "" {
			continue
		}
		for _, identifier := range append([]string{p.Identifier}, p.Others...) {
			if identifier != userProfile(p.UserID) {
				links[identifier] = append(links[identifier], link{p.Time, p.MessageID, p.UserID})
			}
		}
	}
	limit := m.UserLimit
	if limit == 0 {
		limit = defaultUserLimit
	}
	for identifier, list := range links {
		slices.SortFunc(list, link.compare)
		users := map[string]bool{}
		for _, l := range list {
			users[l.user] = true
		}
		if len(users) > limit {
			links[identifier] = nil
			a.Frozen = append(a.Frozen, identifier)
		}
	}
	return links
}

// linkedUser is the user of the last link at or before p, else of the first
// link, else "".
func linkedUser(links []link, p *journey.Touchpoint) string {
	if len(links) == 0 {
		return ""
	}
	user := links[0].user
	for _, l := range links {
		before := l.time < p.Time || l.time == p.Time && l.messageID <= p.MessageID
		if before {
			user = l.user
		}
	}
	return user
}

// profileNames maps each user that aliases join to others to the user that
// names them all: the target of the component's latest alias (D5).
func profileNames(points []*journey.Touchpoint, a *Answer) map[string]string {
	component := map[string]string{} // user -> any one user standing for its component
	var aliases []*journey.Touchpoint
	for _, p := range points {
		if !joins(p) {
			continue
		}
		aliases = append(aliases, p)
		from, to := p.PreviousID, p.UserID
		for _, user := range []string{from, to} {
			if component[user] == "" {
				component[user] = user
			}
		}
		old := component[from]
		for user, c := range component {
			if c == old {
				component[user] = component[to]
			}
		}
	}
	size := map[string]int{}
	for _, c := range component {
		size[c]++
	}
	name := map[string]string{}
	for _, p := range aliases { // in order, so that the latest stays
		name[component[p.UserID]] = p.UserID
	}
	names := map[string]string{}
	for user, c := range component {
		if size[c] > componentLimit {
			a.Frozen = append(a.Frozen, userProfile(user))
			continue
		}
		names[user] = name[c]
	}
	return names
}

// joins reports whether p is an alias of two users. One whose previous id is
// the event's own anonymous id is only a link.
func joins(p *journey.Touchpoint) bool {
	if p.Type != "alias" || p.UserID == "" || p.PreviousID == "" || p.PreviousID == p.UserID {
		return false
	}
	own := journey.KindAnonymous + ":" + p.PreviousID
	return p.Identifier != own && !slices.Contains(p.Others, own)
}

// userProfile is the profile of a user before aliases.
func userProfile(user string) string { return journey.KindUser + ":" + user }
