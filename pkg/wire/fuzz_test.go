package wire_test

import (
	"testing"
	"time"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/journey/journeytest"
	"github.com/cairnhq/cairn/pkg/wire"
)

// encoded is what each sample is written as.
func encoded(f *testing.F, name string) []byte {
	f.Helper()
	for _, g := range samples() {
		if g.name == name {
			raw, err := g.encode()
			if err != nil {
				f.Fatal(err)
			}
			return raw
		}
	}
	f.Fatalf("there is no sample of %s", name)
	return nil
}

// FuzzStateRows: whatever the bytes, each decoder gives a value or an error.
func FuzzStateRows(f *testing.F) {
	list := samples()
	for _, g := range list {
		f.Add(encoded(f, g.name))
	}
	f.Fuzz(func(_ *testing.T, raw []byte) {
		for _, g := range list {
			_, _ = g.decode(raw)
		}
	})
}

// maxEmitted bounds what a drawn row may say of transitions emitted before: each
// is voided when its journey goes, so that a huge number takes huge memory.
const maxEmitted = 1 << 12

// FuzzRestoredProfile: a profile restored from damaged rows can be used. What its
// rows are then is not asked.
func FuzzRestoredProfile(f *testing.F) {
	for _, r := range realProfiles() {
		f.Add(r.journeys, r.points, r.past, r.frictions, uint16(4))
	}
	f.Add(encoded(f, "journeys"), encoded(f, "points"), encoded(f, "past"), encoded(f, "frictions"), uint16(0))
	m := journeytest.FullModel()
	f.Fuzz(func(t *testing.T, journeys, points, past, frictions []byte, hour uint16) {
		p := &journey.Profile{ID: "user:42"}
		if _, err := wire.DecodeJourneys(journeys, p); err != nil {
			p.Journeys = nil
		}
		for _, j := range p.Journeys {
			if j.EmittedFrom > maxEmitted {
				t.Skip()
			}
		}
		if list, err := wire.DecodePoints(nil, points); err == nil {
			p.Restore(list)
		}
		if was, err := wire.DecodePast(past); err == nil {
			p.Past = was
		}
		if list, err := wire.DecodeFrictions(frictions); err == nil {
			p.RestoreFrictions(list)
		}
		p.Sort()
		use(p, m, int64(hour)*3_600_000)
	})
}

// use does with a profile what a step does, twice.
func use(p *journey.Profile, m *journey.Model, at int64) {
	hung := time.AfterFunc(time.Minute, func() { panic("the profile is read without end") })
	defer hung.Stop()
	for n := range int64(2) {
		t := journey.Touchpoint{
			MessageID: "added", Identifier: "user:42", UserID: "42", Type: "track", Event: "order_completed", Actor: journey.ActorCustomer,
			Time: noon + at + n, Received: noon + at + n, Channel: "app", Traits: `{"plan":"gold"}`,
		}
		p.Add(m.Point(&t))
		c := p.Refold(m, journey.Instant{Now: t.Time + n<<40, Record: t.Time + n<<40})
		for _, j := range c.Journeys {
			wire.Marshal(wire.Journey(p.ID, m, j, 1))
		}
		p.Due(m)
		wire.EncodeJourneys(p, 1)
		wire.EncodePoints(p.Points())
		if past := p.TakePast(); past != nil {
			wire.EncodePast(past)
		}
		list, _ := p.TakeFrictions()
		wire.EncodeFrictions(list)
	}
}

// FuzzRestoredDevice: the same of an identifier and its sessions.
func FuzzRestoredDevice(f *testing.F) {
	f.Add(encoded(f, "device"), encoded(f, "session"), encoded(f, "session"), encoded(f, "hashes"), uint16(0))
	m := journeytest.FullModel()
	f.Fuzz(func(_ *testing.T, row, one, two, hashes []byte, hour uint16) {
		d := &journey.Device{Identifier: "anonymous:a1"}
		_ = wire.DecodeDevice(row, d)
		for _, raw := range [][]byte{one, two} {
			if s, err := wire.DecodeSession(raw); err == nil {
				d.Restore(s)
			}
		}
		c := &journey.HashChunk{Day: 20_000}
		_ = wire.DecodeHashes(hashes, c)
		d.RestoreHashes(c)
		at := noon + int64(hour)*3_600_000
		for n := range int64(2) {
			t := journey.Touchpoint{
				MessageID: string(rune('a' + n)), Identifier: d.Identifier, UserID: "44", Actor: journey.ActorCustomer, Event: "order_completed",
				Time: at + n, Received: at + n, Flags: journey.FlagBackfill,
			}
			d.Apply(&t, m, t.Received)
			d.Tick(journey.Instant{Now: at + n<<40, Record: at + n<<40}, at, m)
			changes := d.TakeChanges(m)
			for _, s := range changes.Sessions {
				wire.EncodeSession(s)
				wire.Marshal(wire.Session(d.Identifier, m, s, 1))
			}
			for _, h := range changes.Hashes {
				wire.EncodeHashes(h)
			}
			wire.EncodeDevice(d)
		}
	})
}

type profileRows struct{ journeys, points, past, frictions []byte }

// realProfiles are the rows of profiles as the core leaves them: with open
// absences and repetitions, with a base and a past.
func realProfiles() []profileRows {
	m := journeytest.FullModel()
	events := []string{
		"product_viewed", "checkout_started", "products_searched", "payment_failed", "rage_click", "order_completed", "ticket_opened", "product_used",
	}
	var out []profileRows
	for _, n := range []int{12, journey.MaxPoints + 40} {
		p := &journey.Profile{ID: "user:42"}
		for i := range n {
			t := journey.Touchpoint{
				MessageID: string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676)), Identifier: "anonymous:a1", Type: "track",
				Event: events[i*i%len(events)], Time: noon + int64(i)*120_000, Received: noon + int64(i)*120_000, Channel: "app",
				Actor: journey.ActorCustomer, Properties: `{"query":"boots"}`, Traits: `{"plan":"gold"}`,
			}
			p.Add(m.Point(&t))
		}
		p.Refold(m, journey.Instant{Now: noon, Record: noon})
		r := profileRows{journeys: wire.EncodeJourneys(p, 1), points: wire.EncodePoints(p.Points()[:8])}
		if past := p.TakePast(); past != nil {
			r.past = wire.EncodePast(past)
		}
		list, _ := p.TakeFrictions()
		r.frictions = wire.EncodeFrictions(list[:min(8, len(list))])
		out = append(out, r)
	}
	return out
}
