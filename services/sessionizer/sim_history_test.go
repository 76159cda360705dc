//go:build synctests

package sessionizer_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/journey/journeytest"
	"github.com/cairnhq/cairn/pkg/wire"
)

// simHistory is what customers did, as the oracle and as Kafka gets it.
type simHistory struct {
	log     []journey.Touchpoint // in order of arrival
	records []*kgo.Record        // one for each
}

// minHistory is how many touchpoints a simulation has at least.
const minHistory = 40

// newHistory draws a history that ended ten minutes before end: some sessions are
// open then and some are not.
func newHistory(tb testing.TB, m *journey.Model, seed int, end time.Time) simHistory {
	tb.Helper()
	gen := rapid.Custom(func(rt *rapid.T) []journey.Touchpoint {
		log := journeytest.GenHistory(rt, journeytest.GenConfig{
			Model: m, Touchpoints: 80, Visitors: 4, Users: 4, Links: true, Others: true, Aliases: true, Business: true,
			Duplicates: true, Disagree: true, SharedIDs: true,
			Patterns: seed%2 == 1, Evidence: true, Traits: true,
		})
		if len(log) < minHistory {
			rt.Skip("too short to be interrupted")
		}
		return log
	})
	h := simHistory{log: gen.Example(seed)}
	copies, latest := map[journeytest.Point]int{}, int64(0)
	for i := range h.log {
		p := &h.log[i]
		latest = max(latest, p.Time)
		copies[journeytest.Point{Identifier: p.Identifier, MessageID: p.MessageID}]++
		if p.Event == "" { // as the decoder names it
			p.Event = p.Type
			if p.Type == "page" || p.Type == "screen" {
				p.Event += "_viewed"
			}
		}
	}
	shift := end.Add(-10*time.Minute).UnixMilli() - latest
	for i := range h.log {
		p := &h.log[i]
		p.Time += shift
		// All arrive at once: state is kept for so long after an arrival, and the
		// oracle keeps everything. What is too old is a backfill, or late.
		p.Received = end.Add(-5 * time.Minute).UnixMilli()
		p.Flags &^= journey.FlagBackfill | journey.FlagNotLive
		if p.Received-p.Time > m.Lateness && i%13 != 0 {
			p.Flags |= journey.FlagBackfill
		}
		rec := rawRecord(tb, p)
		// A key that is not the identifier costs a detour, which copies could overtake.
		if i%11 == 5 && copies[journeytest.Point{Identifier: p.Identifier, MessageID: p.MessageID}] == 1 {
			rec.Key = []byte("till-7")
		}
		h.records = append(h.records, rec)
	}
	return h
}

// rawRecord is the raw record of a touchpoint.
func rawRecord(tb testing.TB, p *journey.Touchpoint) *kgo.Record {
	tb.Helper()
	stamp := func(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339Nano) }
	properties := map[string]any{}
	if p.Properties != "" {
		require.NoError(tb, json.Unmarshal([]byte(p.Properties), &properties))
	}
	if p.RevenueMicros != 0 {
		properties["revenue"] = float64(p.RevenueMicros) / 1e6
	}
	body := map[string]any{
		"messageId": p.MessageID, "type": p.Type, "event": p.Event, "timestamp": stamp(p.Time), "receivedAt": stamp(p.Received),
		"channel": p.Channel, "actor": p.Actor, "source": p.Source, "properties": properties, "previousId": p.PreviousID, "userId": p.UserID,
	}
	if p.Traits != "" {
		body["traits"] = json.RawMessage(p.Traits)
	}
	var external []map[string]string
	_, key := journey.SplitIdentifier(p.Identifier)
	for _, id := range append([]string{p.Identifier}, p.Others...) {
		switch kind, value := journey.SplitIdentifier(id); kind {
		case journey.KindUser:
		case journey.KindAnonymous:
			body["anonymousId"] = value
		default:
			external = append(external, map[string]string{"type": kind, "id": value})
		}
	}
	if external != nil {
		body["externalIds"] = external
	}
	if p.UserID != "" && !strings.HasPrefix(p.Identifier, journey.KindUser) {
		require.True(tb, strings.HasPrefix(p.Identifier, journey.KindAnonymous), "a user would become the identifier")
	}
	value, err := json.Marshal(body)
	require.NoError(tb, err)
	r := &kgo.Record{Key: []byte(key), Value: value}
	if p.Flags&journey.FlagBackfill != 0 {
		r.Headers = []kgo.RecordHeader{{Key: wire.HeaderBackfill, Value: []byte("1")}}
	}
	return r
}
