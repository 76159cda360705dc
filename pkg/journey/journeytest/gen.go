package journeytest

import (
	"fmt"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/cairnhq/cairn/pkg/journey"
)

// GenConfig says what GenHistory may put into a history. Zero numbers mean the
// defaults in brackets; a history is small so that its counterexamples are.
type GenConfig struct {
	Model       *journey.Model // its gaps and windows are where times crowd, its rules name the events
	Touchpoints int            // at most so many before duplicates [14]
	Visitors    int            // anonymous identifiers [2]
	Users       int            // [2]; more than the model's limit freezes identifiers

	Links      bool // touchpoints with a user, on visitors' devices
	Others     bool // further identifiers: loyalty cards, emails
	Aliases    bool // alias events between users
	Business   bool // touchpoints of the business
	Duplicates bool // exact copies, any number of places apart
	Disagree   bool // copies that arrive later and say another time: only the first may count
	SharedIDs  bool // the same messageId under two identifiers: two touchpoints
	Backfill   bool // some carry the backfill flag and arrive long after

	Patterns bool // what friction and intent look for; each history keeps to a few events, so that they meet
	Evidence bool // answers to surveys and texts, which are scored
	Traits   bool // traits, some of them null, too long or no scalar
	Channels bool // several channels, devices and campaigns
	Flags    bool // robots, and what a page loads
}

// GenHistory draws a log in arrival order. Times are drawn relative to earlier
// ones at the distances where rules change their mind (exactly a gap, a
// millisecond more or less, the same instant), so order of arrival and order of
// time have little to do with each other.
func GenHistory(t *rapid.T, cfg GenConfig) []journey.Touchpoint {
	g := &generator{t: t, cfg: cfg}
	g.cfg.Touchpoints = positive(cfg.Touchpoints, 14)
	g.cfg.Visitors = positive(cfg.Visitors, 2)
	g.cfg.Users = positive(cfg.Users, 2)
	g.events, g.distances = eventsOf(cfg.Model), distancesOf(cfg.Model)
	if cfg.Evidence || cfg.Patterns {
		g.properties = propertiesOf(cfg)
	}
	if cfg.Patterns {
		g.theme()
	}
	n := rapid.IntRange(1, g.cfg.Touchpoints).Draw(t, "touchpoints")
	for range n {
		g.log = append(g.log, g.touchpoint())
	}
	if cfg.Duplicates || cfg.Disagree {
		g.copies()
	}
	return g.log
}

// Permute draws another order of arrival of the same log, in which first copies
// stay before their disagreeing ones only if the log has none: use it without
// Disagree.
func Permute(t *rapid.T, log []journey.Touchpoint) []journey.Touchpoint {
	return rapid.Permutation(log).Draw(t, "arrival")
}

type generator struct {
	t          *rapid.T
	cfg        GenConfig
	events     []event
	distances  []int64
	properties []string // for touchpoints whose event says none
	times      []int64
	log        []journey.Touchpoint
}

// event is something a rule, or no rule, looks for.
type event struct {
	kind, name, channel, actor, properties string
}

// eventsOf lists events that the model's rules match, with properties either
// side of what a `where` is likely to ask, and some that none matches.
func eventsOf(m *journey.Model) []event {
	list := []event{{kind: "page"}, {kind: "track", name: "no_rule_knows_me"}}
	for _, stage := range m.Stages {
		for _, r := range stage.Rules {
			kind, channel := r.Type, ""
			if len(r.Channels) > 0 {
				channel = r.Channels[0]
			}
			for _, name := range r.Events {
				e := event{kind: orText(kind, "track"), name: name, channel: channel, actor: r.Actor}
				list = append(list, e)
				if r.Where != nil {
					e.properties = `{"items":3,"rating":5,"nps":10}`
					list = append(list, e)
				}
			}
		}
	}
	return list
}

// distancesOf lists the pauses at which some rule of the model changes its mind.
func distancesOf(m *journey.Model) []int64 {
	edges := []int64{m.SessionGap, m.JourneyGap}
	for _, stage := range m.Stages {
		for _, r := range stage.Rules {
			if r.Within > 0 && !slices.Contains(edges, r.Within) {
				edges = append(edges, r.Within)
			}
		}
	}
	return append([]int64{0, 1, minute, 10 * minute}, around(edges)...)
}

func (g *generator) touchpoint() journey.Touchpoint {
	e := rapid.SampledFrom(g.events).Draw(g.t, "event")
	p := journey.Touchpoint{
		MessageID: fmt.Sprintf("m%02d", len(g.log)), Type: e.kind, Event: e.name, Properties: e.properties,
		Channel: orText(e.channel, "web"), Actor: orText(e.actor, journey.ActorCustomer), Source: "shop",
		Time: g.time(),
	}
	p.Received = p.Time + rapid.Int64Range(0, 2*minute).Draw(g.t, "delay")
	p.RawOffset = int64(len(g.log))
	g.identify(&p)
	if p.Event == "order_completed" {
		p.RevenueMicros = rapid.Int64Range(1, 100).Draw(g.t, "euros") * 1_000_000
	}
	g.decorate(&p)
	if g.cfg.Business && g.chance("business", 5) {
		p.Actor = journey.ActorBusiness
	}
	if g.cfg.Backfill && g.chance("backfill", 6) {
		p.Flags |= journey.FlagBackfill | journey.FlagNotLive
		p.Received += 400 * day
	}
	if g.cfg.SharedIDs && len(g.log) > 0 && g.chance("shared id", 8) {
		twin := g.log[rapid.IntRange(0, len(g.log)-1).Draw(g.t, "twin")]
		taken := slices.ContainsFunc(g.log, func(q journey.Touchpoint) bool {
			return q.MessageID == twin.MessageID && q.Identifier == p.Identifier
		})
		if !taken {
			p.MessageID = twin.MessageID
		}
	}
	return p
}

// decorate adds what stages do not look at.
func (g *generator) decorate(p *journey.Touchpoint) {
	pick := func(label string, from ...string) string { return rapid.SampledFrom(from).Draw(g.t, label) }
	if p.Properties == "" && len(g.properties) > 0 {
		p.Properties = pick("properties", g.properties...)
	}
	if g.cfg.Traits && (p.Type == "identify" || g.chance("traits", 5)) {
		p.Traits = pick("which traits", `{"plan":"gold"}`, `{"plan":null}`, `{"coupons":1}`, `{"coupons":3,"plan":"gold"}`, `{"coupons":{}}`,
			`{"coupons":3,"other":1}`, `{"plan":"`+strings.Repeat("x", journey.MaxTrait-2)+`"}`, `{"plan":"`+strings.Repeat("x", journey.MaxTrait-1)+`"}`)
	}
	if g.cfg.Channels {
		p.Channel = pick("channel", p.Channel, "app", "store")
		p.Device = pick("device", "", "mobile", "desktop")
		p.Source = pick("source", "shop", "till")
		p.Campaign.Name = pick("campaign", "", "spring", "autumn")
		if p.Type == "page" {
			p.Page.Path = pick("path", "", "/", "/tents", "/checkout")
		}
	}
	if g.cfg.Flags {
		p.Flags |= rapid.SampledFrom([]uint32{0, 0, 0, 0, 0, 0, journey.FlagBot, journey.FlagAsset}).Draw(g.t, "flags")
	}
}

// time is a distance before or after one of the times drawn already.
func (g *generator) time() int64 {
	at := Base
	if len(g.times) > 0 {
		at = rapid.SampledFrom(g.times).Draw(g.t, "beside")
		d := rapid.SampledFrom(g.distances).Draw(g.t, "distance")
		if g.chance("earlier", 3) {
			d = -d
		}
		at += d
	}
	g.times = append(g.times, at)
	return at
}

// identify gives the touchpoint its identifiers.
func (g *generator) identify(p *journey.Touchpoint) {
	visitor := fmt.Sprintf("%s:a%d", journey.KindAnonymous, rapid.IntRange(1, g.cfg.Visitors).Draw(g.t, "visitor"))
	user := fmt.Sprintf("u%d", rapid.IntRange(1, g.cfg.Users).Draw(g.t, "user"))
	p.Identifier = visitor
	if g.cfg.Aliases && g.cfg.Users > 1 && g.chance("alias", 8) {
		p.Type, p.Event, p.UserID, p.Identifier = "alias", "", user, userProfile(user)
		p.PreviousID = fmt.Sprintf("u%d", rapid.IntRange(1, g.cfg.Users).Draw(g.t, "previous"))
		return
	}
	if !g.cfg.Links {
		return
	}
	card := fmt.Sprintf("%s:l%d", journey.KindLoyalty, rapid.IntRange(1, 2).Draw(g.t, "card"))
	switch rapid.IntRange(0, 9).Draw(g.t, "identifiers") {
	case 0, 1, 2: // the user on a device
		p.UserID = user
		if g.cfg.Others && g.chance("shows card", 2) {
			p.Others = []string{card}
		}
	case 3: // the user alone, as a server sends it
		p.UserID, p.Identifier = user, userProfile(user)
	case 4: // a card at the till
		if g.cfg.Others {
			p.Identifier = card
		}
	case 5: // two identifiers without a user are not linked
		if g.cfg.Others {
			p.Others = []string{card}
		}
	}
}

// copies appends copies of some touchpoints, at most as many as there are.
func (g *generator) copies() {
	n := rapid.IntRange(0, len(g.log)).Draw(g.t, "copies")
	for range n {
		p := g.log[rapid.IntRange(0, len(g.log)-1).Draw(g.t, "copy of")]
		p.RawOffset = int64(len(g.log))
		if g.cfg.Disagree && g.chance("disagrees", 2) {
			p.Time += rapid.SampledFrom(g.distances).Draw(g.t, "by")
			p.Received += minute
		}
		g.log = append(g.log, p)
	}
}

// chance is true once in n.
func (g *generator) chance(label string, n int) bool {
	return rapid.IntRange(1, n).Draw(g.t, label) == n
}

func positive(n, otherwise int) int {
	if n > 0 {
		return n
	}
	return otherwise
}

func orText(s, otherwise string) string {
	if s != "" {
		return s
	}
	return otherwise
}
