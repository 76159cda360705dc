package enrich

import (
	"strings"

	"github.com/cairnhq/cairn/pkg/journey"
)

// Bounds of the caches, in entries of two generations.
const (
	maxHosts   = 4096
	maxReasons = 4096
	maxPlaces  = 4096
)

// reason is all that a channel group follows from.
type reason struct {
	channel, source, medium, campaign string
	click                             string // kind of the click id
	class, from                       string // of the referrer: class and source; "": none from outside
	referrer                          *host
}

// clone shares no memory with the touchpoint. What is of the referrer is no part of
// one.
func (r reason) clone() reason {
	for _, s := range []*string{&r.channel, &r.source, &r.medium, &r.campaign, &r.click} {
		*s = strings.Clone(*s)
	}
	return r
}

// traffic says why the customer came.
func (e *Enricher) traffic(t *journey.Touchpoint) {
	if t.Page.URL != "" {
		readURL(t)
	}
	why := reason{channel: t.Channel, source: t.Campaign.Source, medium: t.Campaign.Medium, campaign: t.Campaign.Name, click: t.ClickIDKind}
	if h := e.host(t.Page.Referrer); h != nil {
		t.ReferrerHost = h.name
		if e.internal(h, t.Page.URL) {
			t.ReferrerClass = ClassInternal
		} else {
			known := e.Rules.at(h, t.Page.Referrer)
			t.ReferrerClass = known.class
			why.referrer, why.class, why.from = h, known.class, known.source
		}
	}
	if why == (reason{channel: t.Channel}) && !e.Rules.byChannel {
		t.ChannelGroup = offline(t.Channel)
		return
	}
	group, ok := e.groups.get(why)
	if !ok {
		group = e.Rules.group(&why)
		e.groups.put(why, group)
	}
	t.ChannelGroup = group
}

// host is the host of an address, nil without one.
func (e *Enricher) host(url string) *host {
	if url == "" {
		return nil
	}
	text := hostIn(url)
	if text == "" {
		return nil
	}
	h, ok := e.hosts.get(text)
	if !ok {
		h = e.Rules.newHost(text)
		e.hosts.put(text, h)
	}
	if h.name == "" {
		return nil
	}
	return h
}

// internal reports whether a referrer is of the site that the page is of.
func (e *Enricher) internal(referrer *host, page string) bool {
	if referrer.internal {
		return true
	}
	h := e.host(page)
	return h != nil && h.registrable == referrer.registrable
}

// group is the channel group of what brought a customer; "" where nothing says.
func (r *Rules) group(why *reason) string {
	t := r.read(why)
	channel := strings.ToLower(why.channel)
	for i := range r.overrides {
		if o := &r.overrides[i]; o.matches(channel, why.click, why.referrer, &t) {
			return o.Group
		}
	}
	if t == (traffic{}) {
		return offline(channel)
	}
	group := t.group(r.groups)
	if group == GroupUnassigned {
		if known := offline(channel); known != "" {
			return known
		}
	}
	return group
}

// read is the traffic of a reason. What the campaign says goes before the click
// id, and that before the referrer; each fills in what is missing.
func (r *Rules) read(why *reason) traffic {
	t := traffic{source: fold(why.source), medium: fold(why.medium), campaign: fold(why.campaign)}
	if c, ok := clickOf(why.click); ok && t.medium == "" {
		t.medium = c.medium
		if t.source == "" {
			t.source = c.source
		}
	}
	if why.referrer != nil && t.source == "" {
		t.source, t.class = why.from, why.class
		if t.medium == "" {
			t.medium = mediumOf(why.class)
		}
	} else if known, ok := r.sites.source(t.source); ok {
		t.class = known.class
	}
	return t
}

// mediumOf is the medium of a visit that only its referrer tells of.
func mediumOf(class string) string {
	switch class {
	case ClassSearch:
		return "organic"
	case ClassEmail:
		return "email"
	case ClassPaid:
		return "cpc"
	}
	return "referral"
}

// fold is a text as rules compare it.
func fold(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// place is where an address is, remembered.
func (e *Enricher) place(ip string) *journey.Place {
	if known, ok := e.places.get(ip); ok {
		return known
	}
	at := e.Rules.places.place(ip)
	e.places.put(ip, &at)
	return &at
}
