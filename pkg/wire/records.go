package wire

import (
	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// Schemas of the Protobuf records, for the header cairn-schema.
const (
	SchemaTouchpoint = "touchpoint/1"
	SchemaSession    = "session/1"
	SchemaIdentity   = "identity/1"
	SchemaJourney    = "journey/1"
	SchemaQuality    = "quality/1"
)

// Touchpoint fills in the record of a touchpoint. Nothing is copied: the record
// must be marshalled before t changes.
func Touchpoint(r *wirepb.Touchpoint, t *journey.Touchpoint) {
	*r = wirepb.Touchpoint{
		MessageId: t.MessageID, Identifier: t.Identifier, UserId: t.UserID, Owner: t.Owner,
		OtherIdentifiers: t.Others, Type: t.Type, Event: t.Event, TimeMs: t.Time, ReceivedMs: t.Received,
		OriginalMs: t.Original, Flags: t.Flags, Channel: t.Channel, Actor: t.Actor, Source: t.Source,
		SessionId: t.SessionID, PageUrl: t.Page.URL, PagePath: t.Page.Path, PageTitle: t.Page.Title,
		Referrer: t.Page.Referrer, CampaignSource: t.Campaign.Source, CampaignMedium: t.Campaign.Medium,
		CampaignName: t.Campaign.Name, CampaignTerm: t.Campaign.Term, CampaignContent: t.Campaign.Content,
		UserAgent: t.UserAgent, Ip: t.IP, Locale: t.Locale, RevenueMicros: t.RevenueMicros, Currency: t.Currency,
		Properties: t.Properties, Traits: t.Traits, Context: t.Context, PreviousId: t.PreviousID,
		RawPartition: t.RawPartition, RawOffset: t.RawOffset, Revision: t.Revision, MapEpoch: t.MapEpoch,
		Sentiment: t.Sentiment, SentimentSource: t.SentimentSource, Device: t.Device,
		ChannelGroup: t.ChannelGroup, ReferrerHost: t.ReferrerHost, ReferrerClass: t.ReferrerClass,
		ClickIdKind: t.ClickIDKind, ClickId: t.ClickID, CampaignId: t.CampaignID,
		Browser: t.Agent.Browser, BrowserVersion: t.Agent.BrowserVersion, Os: t.Agent.OS, OsVersion: t.Agent.OSVersion,
		Country: t.Place.Country, Region: t.Place.Region, City: t.Place.City,
	}
}

// FromTouchpoint is the reverse of Touchpoint; the strings are shared.
func FromTouchpoint(t *journey.Touchpoint, r *wirepb.Touchpoint) {
	*t = journey.Touchpoint{
		MessageID: r.MessageId, Identifier: r.Identifier, UserID: r.UserId, Owner: r.Owner,
		Others: r.OtherIdentifiers, Type: r.Type, Event: r.Event, Time: r.TimeMs, Received: r.ReceivedMs,
		Original: r.OriginalMs, Flags: r.Flags, Channel: r.Channel, Actor: r.Actor, Source: r.Source,
		SessionID: r.SessionId,
		Page:      journey.Page{URL: r.PageUrl, Path: r.PagePath, Title: r.PageTitle, Referrer: r.Referrer},
		Campaign: journey.Campaign{
			Source: r.CampaignSource, Medium: r.CampaignMedium, Name: r.CampaignName,
			Term: r.CampaignTerm, Content: r.CampaignContent,
		},
		UserAgent: r.UserAgent, IP: r.Ip, Locale: r.Locale, RevenueMicros: r.RevenueMicros, Currency: r.Currency,
		Properties: r.Properties, Traits: r.Traits, Context: r.Context, PreviousID: r.PreviousId,
		RawPartition: r.RawPartition, RawOffset: r.RawOffset, Revision: r.Revision, MapEpoch: r.MapEpoch,
		Sentiment: r.Sentiment, SentimentSource: r.SentimentSource, Device: r.Device,
		ChannelGroup: r.ChannelGroup, ReferrerHost: r.ReferrerHost, ReferrerClass: r.ReferrerClass,
		ClickIDKind: r.ClickIdKind, ClickID: r.ClickId, CampaignID: r.CampaignId,
		Agent: journey.Agent{Browser: r.Browser, BrowserVersion: r.BrowserVersion, OS: r.Os, OSVersion: r.OsVersion},
		Place: journey.Place{Country: r.Country, Region: r.Region, City: r.City},
	}
}

// Session is the record of a session.
func Session(identifier string, m *journey.Model, s *journey.Session, revision uint64) *wirepb.Session {
	return new(SessionRecord).Of(identifier, m, s, revision)
}

// SessionRecord is the memory of a session's record, to be used again.
type SessionRecord struct {
	record wirepb.Session
	counts []*wirepb.EventCount
}

// Of is the record of a session, valid until the next call.
func (r *SessionRecord) Of(identifier string, m *journey.Model, s *journey.Session, revision uint64) *wirepb.Session {
	for len(r.counts) < len(s.Events) {
		r.counts = append(r.counts, &wirepb.EventCount{})
	}
	for i, e := range s.Events {
		r.counts[i].Event, r.counts[i].Count = m.EventName(e.Event), e.Count
	}
	r.record = wirepb.Session{
		SessionId: s.ID, Identifier: identifier, Status: s.Status(), StartedMs: s.Start, EndedMs: s.End,
		MintedMs: s.Minted, Touchpoints: s.Touchpoints, Channel: s.Channel, LastChannel: s.LastChannel,
		Source: s.Source, LandingPage: s.Landing.Path, ExitPage: s.Exit.Path, Referrer: s.Referrer,
		CampaignSource: s.Campaign.Source, CampaignMedium: s.Campaign.Medium, CampaignName: s.Campaign.Name,
		RevenueMicros: s.RevenueMicros, IsBot: s.IsBot(), Revision: revision, Live: s.Live,
		Device: s.Device, Pages: s.Pages, SentimentSum: s.SentimentSum, SentimentCount: s.SentimentCount, Oversized: s.Oversized,
		ChannelGroup: s.ChannelGroup(), Events: r.counts[:len(s.Events)],
	}
	return &r.record
}

// VoidSession is the record of a session that merged into another.
func VoidSession(identifier string, v journey.Void, revision uint64) *wirepb.Session {
	return &wirepb.Session{
		SessionId: v.ID, Identifier: identifier, Status: journey.StatusVoid, MergedInto: v.Into,
		StartedMs: v.Minted, EndedMs: v.Minted, MintedMs: v.Minted, Revision: revision,
	}
}

// Identity is the record of an identifier's map of owners.
func Identity(identifier string, o *journey.Ownership, revision uint64) *wirepb.Identity {
	return &wirepb.Identity{
		Identifier: identifier, Map: links(o.Map), Epoch: o.Epoch, Frozen: o.Frozen, Revision: revision,
	}
}

// Renamed is the record that a user's profile goes under another name, because
// aliases join them; canonical "" is its own again.
func Renamed(profile, canonical string, version, revision uint64) *wirepb.Identity {
	r := &wirepb.Identity{Identifier: profile, Epoch: version, Revision: revision}
	if canonical != "" {
		_, user := journey.SplitIdentifier(canonical)
		r.Map = []*wirepb.Link{{UserId: user}}
	}
	return r
}

// Journey is the record of a journey under a model.
func Journey(profile string, m *journey.Model, j *journey.Journey, revision uint64) *wirepb.Journey {
	return &wirepb.Journey{
		JourneyId: j.ID, Profile: profile, Status: j.Status(), StartedMs: j.Start, EndedMs: j.End,
		MintedMs: j.Minted, Touchpoints: j.Touchpoints, BusinessTouchpoints: j.Business, Sessions: j.Sessions, RevenueMicros: j.RevenueMicros,
		Stage: m.StageName(j.Fold.Stage), Substage: m.SubstageName(j.Fold.Stage, j.Fold.Substage),
		FurthestStage: m.StageName(j.Fold.Furthest), Converted: j.Fold.Converted,
		Transitions: uint64(j.Fold.Seq), Revision: revision, Live: j.Live, Model: m.Name,
		Approximate: j.Approximate, Persona: j.Persona, SentimentSum: j.SentimentSum, SentimentCount: j.SentimentCount,
		IntentMillis: j.Intent,
	}
}

// VoidJourney is the record of a journey that merged into another or vanished.
func VoidJourney(profile string, m *journey.Model, v journey.Void, revision uint64) *wirepb.Journey {
	return &wirepb.Journey{
		JourneyId: v.ID, Profile: profile, Status: journey.StatusVoid, MergedInto: v.Into,
		StartedMs: v.Minted, EndedMs: v.Minted, MintedMs: v.Minted, Revision: revision, Model: m.Name,
	}
}

func links(list []journey.Link) []*wirepb.Link {
	out := make([]*wirepb.Link, len(list))
	for i, l := range list {
		out[i] = &wirepb.Link{FromMs: l.Time, MessageId: l.MessageID, UserId: l.UserID}
	}
	return out
}

func fromLinks(list []*wirepb.Link) []journey.Link {
	var out []journey.Link
	for _, l := range list {
		out = append(out, journey.Link{Time: l.FromMs, MessageID: l.MessageId, UserID: l.UserId})
	}
	return out
}
