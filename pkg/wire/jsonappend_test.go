package wire

import (
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnhq/cairn/pkg/journey"
)

// TestEventsAreWhatEncodingJSONWrites: the events that are written by hand are, byte by
// byte, what encoding/json makes of the same members.
func TestEventsAreWhatEncodingJSONWrites(t *testing.T) {
	text := rapid.OneOf(rapid.StringMatching(`[a-z:/ -]{0,12}`), rapid.String(), rapid.SampledFrom([]string{
		"<b>", "a&b", "\x7f", "\x00", "quote\"", "back\\slash", "\u2028", "bad \xff utf-8", "grüße", "tab\t",
	}))
	at := func(ms int64) string { return time.UnixMilli(ms).UTC().Format(millisLayout) }
	millis := rapid.Int64Range(-62_000_000_000_000, 253_000_000_000_000)
	same := func(rt *rapid.T, event any, got []byte) {
		want, err := json.Marshal(event)
		require.NoError(rt, err)
		require.Equal(rt, string(want), string(got))
	}
	rapid.Check(t, func(rt *rapid.T) {
		draw := func() string { return text.Draw(rt, "text") }
		tr := &Transition{
			Profile: draw(), JourneyID: draw(), Seq: rapid.Uint32().Draw(rt, "seq"), From: draw(), To: draw(), Direction: draw(), Substage: draw(),
			Skipped: rapid.SliceOfN(text, 0, 3).Draw(rt, "skipped"), AtMillis: millis.Draw(rt, "at"),
			DwellMillis: rapid.Ptr(rapid.Int64(), true).Draw(rt, "dwell"), TouchpointID: draw(), Identifier: draw(), SessionID: draw(),
			Channel: draw(), CampaignSource: draw(), CampaignMedium: draw(), CampaignName: draw(),
			Sentiment: rapid.Ptr(rapid.Int32Range(-200, 200), true).Draw(rt, "sentiment"), Persona: draw(), Status: draw(),
			Revision: rapid.Uint64().Draw(rt, "revision"), Live: rapid.Bool().Draw(rt, "live"), Model: draw(), EmittedMillis: millis.Draw(rt, "emitted"),
		}
		e := cloudEvent[transitionData]{
			SpecVersion: "1.0",
			ID:          tr.JourneyID + "/" + strconv.FormatUint(uint64(tr.Seq), 10) + "/" + strconv.FormatUint(tr.Revision, 10),
			Source:      "/cairn/ns", Type: TransitionType, Subject: tr.Profile, Time: at(tr.AtMillis), DataContentType: ContentJSON,
			Data: transitionData{
				Profile: tr.Profile, JourneyID: tr.JourneyID, Seq: tr.Seq, From: tr.From, To: tr.To, Direction: tr.Direction, Substage: tr.Substage,
				Skipped: append([]string{}, tr.Skipped...), At: at(tr.AtMillis), DwellMillis: tr.DwellMillis, TouchpointID: tr.TouchpointID,
				Identifier: tr.Identifier, SessionID: tr.SessionID, Channel: tr.Channel, Persona: tr.Persona, Status: tr.Status,
				Revision: tr.Revision, Live: tr.Live, Model: tr.Model, Emitted: at(tr.EmittedMillis),
			},
		}
		if tr.Sentiment != nil {
			score := float64(*tr.Sentiment) / 100
			e.Data.Sentiment = &score
		}
		if tr.CampaignSource != "" || tr.CampaignMedium != "" || tr.CampaignName != "" {
			e.Data.Campaign = &transitionSource{tr.CampaignSource, tr.CampaignMedium, tr.CampaignName}
		}
		same(rt, &e, AppendTransition(nil, "ns", tr))

		f := &journey.Friction{
			ID: draw(), Profile: draw(), JourneyID: draw(), Name: draw(), Kind: draw(), Severity: rapid.IntRange(-1, 9).Draw(rt, "severity"),
			Stage: draw(), Substage: draw(), AtMillis: tr.AtMillis, TouchpointID: draw(), Identifier: draw(), SessionID: draw(), Channel: draw(),
			Persona: draw(), Status: draw(), Revision: tr.Revision, Live: tr.Live, Model: draw(), EmittedMillis: tr.EmittedMillis,
		}
		same(rt, &cloudEvent[frictionData]{
			SpecVersion: "1.0", ID: f.ID + "/" + strconv.FormatUint(f.Revision, 10), Source: "/cairn/ns", Type: FrictionType, Subject: f.Profile,
			Time: at(f.AtMillis), DataContentType: ContentJSON,
			Data: frictionData{
				FrictionID: f.ID, Profile: f.Profile, JourneyID: f.JourneyID, Name: f.Name, Kind: f.Kind, Severity: f.Severity, Stage: f.Stage,
				Substage: f.Substage, At: at(f.AtMillis), TouchpointID: f.TouchpointID, Identifier: f.Identifier, SessionID: f.SessionID,
				Channel: f.Channel, Persona: f.Persona, Status: f.Status, Revision: f.Revision, Live: f.Live, Model: f.Model, Emitted: at(f.EmittedMillis),
			},
		}, AppendFriction(nil, "ns", f))
	})
}
