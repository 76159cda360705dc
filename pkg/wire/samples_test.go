package wire_test

import (
	"google.golang.org/protobuf/proto"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// computed are the fields that no row keeps: reading the points again gives them,
// or they are in the key, or a decoder leaves them out on purpose.
func computed() []string {
	return []string{
		"journeys.Profile.Journeys[].Standing", "journeys.Profile.Journeys[].Persona",
		"journeys.Profile.ID", "journeys.Profile.Past", // the key; rows of their own
		"session.Absorbed[].Into", "journeys.Profile.Journeys[].Absorbed[].Into", // not kept up
		"hashes.Day", "hashes.Number", // in the key
		"device.Identifier",                                   // the key
		"points[].Campaign.Term", "points[].Campaign.Content", // not kept of a point
		"adopt.Points[].Campaign.Term", "adopt.Points[].Campaign.Content", //
		"copy.Added[].Campaign.Term", "copy.Added[].Campaign.Content", //
		"session-record.MergedInto", // of a void one
		"journey-record.MergedInto", // of a void one
	}
}

// partly are the records that are empty but for a few fields by their nature.
func partly() []string { return []string{"session-void", "journey-void", "identity-renamed"} }

// shop is a model with names for the numbers in the samples.
func shop() *journey.Model {
	m := &journey.Model{
		Name: "shop@1", Goal: 1, Events: []string{"cart_viewed", "order_completed"},
		Stages: []journey.Stage{{Name: "consideration", Substages: []string{"discover", "compare"}}, {Name: "purchase", Substages: []string{"cart", "order"}}},
	}
	return m.Compile()
}

const noon = int64(1_790_000_000_000) // an event time, Unix ms

func sampleKey() journey.OrderKey {
	return journey.OrderKey{Time: noon, MessageID: "m-1", Identifier: "anonymous:a1"}
}

func sampleLinks() []journey.Link {
	return []journey.Link{{Time: noon, MessageID: "m-1", UserID: "42"}, {Time: noon + 60_000, MessageID: "m-2", UserID: "43"}}
}

func sampleKnown() journey.KnownMap { return journey.KnownMap{Epoch: 2, Map: sampleLinks()} }

func sampleEdges() []journey.Edge {
	return []journey.Edge{{Time: noon, MessageID: "m-3", Identifier: "anonymous:a1", From: "user:41", To: "user:42"}}
}

// samplePoints are a full point, and one with next to nothing.
func samplePoints() []journey.Point {
	return []journey.Point{
		{
			OrderKey: sampleKey(), Matches: 0b1001, Troubles: 0b100, Fixed: true, Business: true, Live: true, Scored: true,
			Event: 2, Sentiment: -150, Intent: 30, RevenueMicros: -12_990_000, SessionID: "5e551000000000000000000000000001",
			Channel: "web", Campaign: &journey.Campaign{Source: "newsletter", Medium: "email", Name: "spring"}, Member: "user:41",
			Rare: &journey.Rare{
				Repeats: []journey.Repeat{{Friction: 2, Value: 0x0123456789abcdef}},
				Traits:  []journey.Trait{{Index: 1, Value: `"gold"`}, {Index: 0}},
			},
		},
		{OrderKey: journey.OrderKey{Time: noon + 1, MessageID: "m-2", Identifier: "anonymous:a1"}, Channel: "web"},
	}
}

func sampleDevice() *journey.Device {
	return &journey.Device{
		Ownership: journey.Ownership{
			Links: append(sampleLinks(), journey.Link{Time: noon + 120_000, MessageID: "m-4", UserID: "43"}),
			Users: []string{"42", "43"}, Epoch: 2, Map: sampleLinks(), Frozen: true, Reduced: true,
		},
		Oversized: true, EvictedThrough: noon - 86_400_000,
	}
}

func sampleHashes() *journey.HashChunk {
	return &journey.HashChunk{Hashes: []uint64{1, 0xfedcba9876543210}, Touched: noon + 2, Latest: noon, Armed: true}
}

func sampleSession() *journey.Session {
	s := &journey.Session{
		ID: "5e551000000000000000000000000001", Start: noon, End: noon + 90_000, Minted: noon + 30_000,
		Absorbed: []journey.Void{{ID: "5e551000000000000000000000000002", Minted: noon + 90_000}}, Touchpoints: 4, Bots: 1, Live: true,
		Oversized: true, FirstID: "m-1", LastID: "m-4", Channel: "paid_search", LastChannel: "web", Source: "shop-web", Device: "mobile",
		Referrer: "https://search.example/", Campaign: journey.Campaign{Source: "search", Medium: "cpc", Name: "spring", Term: "boots", Content: "b"},
		RevenueMicros: 59_900_000, Pages: 2, Events: []journey.EventCount{{Event: 1, Count: 1}, {Event: 2, Count: 3}},
		SentimentSum: -150, SentimentCount: 1, Closed: true, Touched: noon + 95_000, Armed: true,
	}
	s.Landing.SetAt("/", noon, "m-1")
	s.Exit.SetAt("/thanks", noon+90_000, "m-4")
	s.Group.SetAt("Paid Search", noon+30_000, "m-2")
	return s
}

func sampleFold() journey.Fold {
	return journey.Fold{
		Stage: 1, Substage: 1, Entered: noon + 5, Seq: 7, Furthest: 1, Visited: 0b11, Converted: true,
		Recent: map[int][]int64{0: {noon, noon + 1}, 3: {noon + 2}},
	}
}

func sampleStanding() journey.Standing {
	return journey.Standing{
		Fold: sampleFold(), Touchpoints: 5000, Business: 3, Sessions: 12, RevenueMicros: -1_000_000, SentimentSum: -50, SentimentCount: 3,
		Intent: 41_500, IntentStep: 254_000, Ends: map[string]int64{"anonymous:a1": noon + 5, "loyalty:l1": noon},
	}
}

func sampleProfile() *journey.Profile {
	full := &journey.Journey{
		ID: "10000000000000000000000000000001", Start: noon, End: noon + 90_000, Minted: noon + 30_000,
		Absorbed: []journey.Void{{ID: "10000000000000000000000000000002", Minted: noon + 90_000}}, Touched: noon + 95_000,
		Live: true, Lapsed: true, Approximate: true,
		Base: &journey.Base{
			Standing: sampleStanding(), Start: noon, End: noon + 5, Gap: 7_776_000_000, Through: sampleKey(), Persona: "vip",
		},
		Emitted: []uint64{3, 0xfedcba9876543210}, EmittedFrom: 5,
	}
	full.Restored(0x0123456789abcdef)
	short := &journey.Journey{ID: "10000000000000000000000000000003", Start: noon + 9_000_000_000, End: noon + 9_000_000_000, Minted: noon + 9_000_000_000}
	return &journey.Profile{Journeys: []*journey.Journey{full, short}, Touched: noon + 95_000}
}

func sampleTail() *journey.Tail {
	past := samplePast()
	return &journey.Tail{
		Points: 4711, At: past.Through, Behaviour: past.Behaviour, Troubles: past.Troubles, Standing: sampleStanding(), Persona: "regular",
	}
}

func samplePast() *journey.Past {
	return &journey.Past{
		Through: sampleKey(), Evicted: noon - 1,
		Behaviour: journey.Behaviour{
			Traits: []string{`"gold"`, ""}, EventCounts: []uint64{4, 0, 1}, ChannelCounts: []uint64{2, 300}, Touchpoints: 5000, Sessions: 12,
			Journeys: 2, RevenueMicros: -1_000_000, SentimentSum: -50, SentimentCount: 3,
		},
		Troubles: []journey.Trouble{
			{
				Open: &journey.Episode{Deadline: noon + 1_800_000, Struck: journey.Struck{
					Key: sampleKey(), SessionID: "5e551000000000000000000000000001", Channel: "web",
					JourneyID: "10000000000000000000000000000001", Stage: 1, Substage: 1, Persona: 2, Live: true,
				}},
				Ended: true, End: noon - 5, Without: true, WithoutAt: noon - 6,
				Repetitions: map[uint64][]int64{7: {noon - 2, noon - 1}, 0xfedcba9876543210: {noon}},
			},
			{}, // nothing is known of the second
			{Ended: true, End: -1},
		},
	}
}

func sampleFrictions() []journey.EmittedFriction {
	return []journey.EmittedFriction{{FrictionKey: journey.FrictionKey{Friction: 4, Touchpoint: sampleKey()}, Hash: 0xfedcba9876543210}}
}

func sampleUnion() journey.Union {
	return journey.Union{
		Edges: sampleEdges(), Frozen: true, Canonical: "user:42", Version: 3, Copies: map[string]uint64{"user:40": 1, "user:41": 2}, Inexact: true,
	}
}

func sampleTouchpoint() *journey.Touchpoint {
	return &journey.Touchpoint{
		MessageID: "m-1", Identifier: "anonymous:a1", UserID: "42", Others: []string{"loyalty:l1"}, PreviousID: "41", Type: "alias",
		Event: "order_completed", Time: noon, Received: noon + 900, Original: noon - 3_600_000, Flags: journey.FlagBot | journey.FlagSkewed,
		Channel: "web", Actor: journey.ActorCustomer, Source: "shop-web",
		Page:      journey.Page{URL: "https://shop.example/?utm_source=search", Path: "/", Title: "Shop – Schuhe", Referrer: "https://search.example/"},
		Campaign:  journey.Campaign{Source: "search", Medium: "cpc", Name: "spring", Term: "boots", Content: "b"},
		UserAgent: "Mozilla/5.0", IP: "203.0.113.0", Locale: "de-CH", RevenueMicros: 59_900_000, Currency: "CHF",
		Properties: `{"total":59.9}`, Traits: `{"plan":"gold"}`, Context: `{"library":{"name":"js"}}`,
		CampaignID: "77", ChannelGroup: "Paid Search", ReferrerHost: "search.example", ReferrerClass: "search", ClickIDKind: "gclid", ClickID: "Cj0K",
		Agent:     journey.Agent{Browser: "Mobile Safari", BrowserVersion: "18", OS: "iOS", OSVersion: "18"},
		Place:     journey.Place{Country: "CH", Region: "Zurich", City: "Zurich"},
		Sentiment: -150, SentimentSource: "nps", Device: "mobile", SessionID: "5e551000000000000000000000000001", Owner: "user:42",
		MapEpoch: 2, RawPartition: 5, RawOffset: 123_456, Revision: 1<<40 | 17,
	}
}

func sampleTransition() *journey.Transition {
	dwell, mean := int64(90_000), int32(-50)
	return &journey.Transition{
		Profile: "user:42", JourneyID: "10000000000000000000000000000001", Seq: 2, From: "awareness", To: "purchase", Direction: journey.DirectionAdvance,
		Substage: "order", Skipped: []string{"consideration"}, AtMillis: noon, DwellMillis: &dwell, TouchpointID: "m-1", Identifier: "anonymous:a1",
		SessionID: "5e551000000000000000000000000001", Channel: "web", CampaignSource: "search", CampaignMedium: "cpc", CampaignName: "spring",
		Sentiment: &mean, Persona: "vip", Status: journey.StatusVoid, Revision: 1<<40 | 18, Live: true, Model: "shop@1", EmittedMillis: noon + 950,
	}
}

func sampleFriction() *journey.Friction {
	return &journey.Friction{
		ID: "f0000000000000000000000000000001", Profile: "user:42", JourneyID: "10000000000000000000000000000001", Name: "payment_failed",
		Kind: journey.FrictionEvent, Severity: 3, Stage: "purchase", Substage: "cart", AtMillis: noon, TouchpointID: "m-1", Identifier: "anonymous:a1",
		SessionID: "5e551000000000000000000000000001", Channel: "web", Persona: "vip", Status: journey.StatusVoid, Revision: 1<<40 | 19, Live: true,
		Model: "shop@1", EmittedMillis: noon + 950,
	}
}

// samples is one of every format, full.
func samples() []golden {
	return append(append(rowSamples(), handoffSamples()...), append(recordSamples(), eventSamples()...)...)
}

func rowSamples() []golden {
	const timer = noon + 8_000_000_000
	return []golden{
		row("device", sampleDevice(), wire.EncodeDevice(sampleDevice()), func(b []byte) (any, error) {
			d := &journey.Device{}
			return d, wire.DecodeDevice(b, d)
		}),
		row("hashes", sampleHashes(), wire.EncodeHashes(sampleHashes()), func(b []byte) (any, error) {
			c := &journey.HashChunk{}
			return c, wire.DecodeHashes(b, c)
		}),
		row("session", sampleSession(), wire.EncodeSession(sampleSession()), func(b []byte) (any, error) { return wire.DecodeSession(b) }),
		row("points", samplePoints(), wire.EncodePoints(samplePoints()), func(b []byte) (any, error) { return wire.DecodePoints(nil, b) }),
		row("journeys", timedProfile{*sampleProfile(), timer, []uint64{0x0123456789abcdef, 0}}, wire.EncodeJourneys(sampleProfile(), timer), decodeJourneys),
		row("tail", sampleTail(), wire.EncodeTail(sampleTail()), func(b []byte) (any, error) { return wire.DecodeTail(b) }),
		row("past", samplePast(), wire.EncodePast(samplePast()), func(b []byte) (any, error) { return wire.DecodePast(b) }),
		row("frictions", sampleFrictions(), wire.EncodeFrictions(sampleFrictions()), func(b []byte) (any, error) { return wire.DecodeFrictions(b) }),
		row("known-map", sampleKnown(), wire.EncodeKnownMap(sampleKnown()), func(b []byte) (any, error) { return wire.DecodeKnownMap(b) }),
		row("union", sampleUnion(), wire.EncodeUnion(new(sampleUnion())), func(b []byte) (any, error) { return wire.DecodeUnion(b) }),
		row("quality-row", sampleQuality(), wire.EncodeQuality(sampleQuality()), func(b []byte) (any, error) { return wire.DecodeQuality(b) }),
		row("meta", sampleMeta(), wire.EncodeMeta(sampleMeta()), func(b []byte) (any, error) { return wire.DecodeMeta(b) }),
	}
}

func sampleQuality() *wirepb.Quality {
	return &wirepb.Quality{
		Partition: 3, MinuteMs: noon, Source: "shop-web", Accepted: 10, Touchpoints: 5, Duplicates: 2, Rejected: 1, Late: 2, Rekeyed: 4,
		Erased: 3, ForgottenTouchpoints: 2, ForgottenLate: 1, ForgottenRejected: 1, Revision: 1<<40 | 20,
	}
}

func sampleMeta() *wirepb.PartitionMeta {
	return &wirepb.PartitionMeta{NextOffset: 123_457, Epoch: 1, Counter: 21, StreamMs: noon, RecordMs: noon + 900}
}

// timedProfile is what a row of journeys holds.
type timedProfile struct {
	journey.Profile

	Timer     int64
	Published []uint64
}

func decodeJourneys(b []byte) (any, error) {
	var p timedProfile
	var err error
	p.Timer, err = wire.DecodeJourneys(b, &p.Profile)
	for _, j := range p.Journeys {
		p.Published = append(p.Published, j.Published())
	}
	return p, err
}

// named is a record that names an identifier beside what it carries.
type named[T any] struct {
	Identifier string
	Value      T
}

func handoffSamples() []golden {
	link := named[journey.Link]{"loyalty:l1", sampleLinks()[0]}
	relinquish := named[journey.KnownMap]{"anonymous:a1", sampleKnown()}
	adopt := journey.Adopt{To: "user:42", Identifier: "anonymous:a1", Known: sampleKnown(), Points: samplePoints()}
	join := journey.Join{To: "user:42", Edges: sampleEdges(), Freeze: true}
	moved := journey.Copy{
		To: "user:42", Member: "user:41", Version: 3, Full: true, Inexact: true, Added: samplePoints(), Removed: []journey.OrderKey{sampleKey()},
	}
	return []golden{
		row("link", link, wire.EncodeLink(link.Identifier, link.Value), func(b []byte) (any, error) {
			id, l, err := wire.DecodeLink(b)
			return named[journey.Link]{id, l}, err
		}),
		row("relinquish", relinquish, wire.EncodeRelinquish(relinquish.Identifier, relinquish.Value), func(b []byte) (any, error) {
			id, k, err := wire.DecodeRelinquish(b)
			return named[journey.KnownMap]{id, k}, err
		}),
		row("adopt", adopt, wire.EncodeAdopt(&adopt), func(b []byte) (any, error) { return wire.DecodeAdopt(b, "user:42") }),
		row("join", join, wire.EncodeJoin(&join), func(b []byte) (any, error) { return wire.DecodeJoin(b, "user:42") }),
		row("copy", moved, wire.EncodeCopy(&moved), func(b []byte) (any, error) { return wire.DecodeCopy(b, "user:42") }),
	}
}

func recordSamples() []golden {
	const rev = 1<<40 | 22
	j := sampleProfile().Journeys[0]
	j.Standing, j.Persona = sampleStanding(), "vip"
	var touchpoint wirepb.Touchpoint
	wire.Touchpoint(&touchpoint, sampleTouchpoint())
	d := sampleDevice()
	return []golden{
		row("touchpoint", sampleTouchpoint(), wire.Marshal(&touchpoint), func(b []byte) (any, error) {
			var r wirepb.Touchpoint
			t := &journey.Touchpoint{}
			err := r.UnmarshalVTUnsafe(b)
			wire.FromTouchpoint(t, &r)
			return t, err
		}),
		record("session-record", wire.Session("anonymous:a1", shop(), sampleSession(), rev), &wirepb.Session{}),
		record("session-void", wire.VoidSession("anonymous:a1", journey.Void{ID: "5e02", Into: "5e01", Minted: noon}, rev), &wirepb.Session{}),
		record("identity", wire.Identity("anonymous:a1", &d.Ownership, rev), &wirepb.Identity{}),
		record("identity-renamed", wire.Renamed("user:41", "user:42", 3, rev), &wirepb.Identity{}),
		record("journey-record", wire.Journey("user:42", shop(), j, rev), &wirepb.Journey{}),
		record("journey-void", wire.VoidJourney("user:42", shop(), journey.Void{ID: "1002", Into: "1001", Minted: noon}, rev), &wirepb.Journey{}),
		record("quality", sampleQuality(), &wirepb.Quality{}),
		record("epoch", &wirepb.Epoch{Step: "device", Epoch: 2, Partition: 3, CompletedMs: noon}, &wirepb.Epoch{}),
	}
}

func eventSamples() []golden {
	return []golden{
		{
			name: "transition", event: true, value: sampleTransition(),
			encode: func() ([]byte, error) { return wire.AppendTransition(nil, "cairn", sampleTransition()), nil },
			decode: func(b []byte) (any, error) {
				t := &journey.Transition{}
				return t, wire.DecodeTransition(b, t)
			},
		},
		{
			name: "friction", event: true, value: sampleFriction(),
			encode: func() ([]byte, error) { return wire.AppendFriction(nil, "cairn", sampleFriction()), nil },
			decode: func(b []byte) (any, error) {
				f := &journey.Friction{}
				return f, wire.DecodeFriction(b, f)
			},
		},
		{
			name: "erasure", event: true, value: sampleErasure(),
			encode: func() ([]byte, error) { return wire.EncodeErasure(new(sampleErasure())), nil },
			decode: func(b []byte) (any, error) { return wire.DecodeErasure(b) },
		},
		{
			name: "forget", event: true, value: sampleForget(),
			encode: func() ([]byte, error) { return wire.EncodeForget(new(sampleForget())), nil },
			decode: func(b []byte) (any, error) { return wire.DecodeForget(b) },
		},
	}
}

func sampleErasure() wire.Erasure {
	return wire.Erasure{
		ID: "0123456789abcdef01234567", State: wire.ErasureCleared, RequestedMillis: noon, UntilMillis: noon + wire.ClockSlack,
		Asked: []string{wire.HashIdentifier([]byte("key"), "user:42")}, CompletedMillis: noon + 60_000,
		Subjects: []wire.Subject{
			{Hash: wire.HashIdentifier([]byte("key"), "anonymous:tablet"), Shared: true, Ranges: [][2]int64{{noon - 1000, noon}}},
			{Hash: wire.HashIdentifier([]byte("key"), "user:42")},
		},
		Counted: []wire.Forgotten{{Minute: noon, Source: "shop-web", Touchpoints: 3, Late: 2, Rejected: 1}},
		Rows:    map[string]uint64{"sessions": 2, "touchpoints": 3},
	}
}

func sampleForget() wire.Forget {
	return wire.Forget{
		Erasure: sampleErasure(), Names: []string{"anonymous:tablet", "user:42"},
		Sessions: []wire.ForgetSession{{Identifier: "anonymous:tablet", ID: "5e01", Minted: noon, Touchpoints: 3, Keep: [][]byte{{1, 2, 3}}}},
		Counted:  []wire.Forgotten{{Minute: noon, Source: "shop-web", Touchpoints: 3, Late: 2, Rejected: 1}},
	}
}

// row is the sample of what a function of its own encodes.
func row(name string, value any, raw []byte, decode func([]byte) (any, error)) golden {
	return golden{name: name, value: value, encode: func() ([]byte, error) { return raw, nil }, decode: decode}
}

// record is the sample of a public Protobuf record, as Google's codec reads it.
func record[M interface {
	proto.Message
	SizeVT() int
	MarshalToSizedBufferVT([]byte) (int, error)
	UnmarshalVTUnsafe([]byte) error
}](name string, value, empty M,
) golden {
	return golden{
		name: name, value: value,
		encode: func() ([]byte, error) { return wire.Marshal(value), nil },
		decode: func(b []byte) (any, error) {
			into := proto.Clone(empty)
			vt := into.(M) //nolint:forcetypeassert // a clone has the type of its original
			return into, vt.UnmarshalVTUnsafe(b)
		},
	}
}
