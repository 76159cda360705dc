package wire

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/cairnhq/cairn/pkg/journey"
)

// TransitionType is the CloudEvents type of a transition.
const TransitionType = "cairn.transition.v1"

// Transition is the core's transition; on the topic it is a CloudEvent.
type Transition = journey.Transition

// transitionData is the data member of the event; the names are public.
type transitionData struct {
	Profile      string            `json:"profile"`
	JourneyID    string            `json:"journey_id"`
	Seq          uint32            `json:"seq"`
	From         string            `json:"from_stage"`
	To           string            `json:"to_stage"`
	Direction    string            `json:"direction"`
	Substage     string            `json:"substage"`
	Skipped      []string          `json:"skipped"`
	At           string            `json:"at"`
	DwellMillis  *int64            `json:"dwell_ms"`
	TouchpointID string            `json:"touchpoint_id"`
	Identifier   string            `json:"identifier"`
	SessionID    string            `json:"session_id"`
	Channel      string            `json:"channel"`
	Campaign     *transitionSource `json:"campaign,omitempty"`
	Sentiment    *float64          `json:"sentiment"` // -2 to +2
	Persona      string            `json:"persona"`
	Status       string            `json:"status"`
	Revision     uint64            `json:"revision"`
	Live         bool              `json:"live"`
	Model        string            `json:"model"`
	Emitted      string            `json:"emitted_at"`
}

type transitionSource struct {
	Source string `json:"source"`
	Medium string `json:"medium"`
	Name   string `json:"name"`
}

// AppendTransition appends t as a structured-mode CloudEvent whose source is
// the namespace. The id is journey/seq/revision, so that it is unique.
func AppendTransition(b []byte, namespace string, t *Transition) []byte {
	w := jsonWriter{b}
	w.event(namespace, TransitionType, t.Profile, t.AtMillis, t.JourneyID, uint64(t.Seq), t.Revision)
	w.str("profile", t.Profile)
	w.str("journey_id", t.JourneyID)
	w.uint("seq", uint64(t.Seq))
	w.str("from_stage", t.From)
	w.str("to_stage", t.To)
	w.str("direction", t.Direction)
	w.str("substage", t.Substage)
	w.raw("skipped", "[")
	for i, stage := range t.Skipped {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.text(stage)
	}
	w.b = append(w.b, ']')
	w.millis("at", t.AtMillis)
	if t.DwellMillis != nil {
		w.int("dwell_ms", *t.DwellMillis)
	} else {
		w.raw("dwell_ms", "null")
	}
	w.str("touchpoint_id", t.TouchpointID)
	w.str("identifier", t.Identifier)
	w.str("session_id", t.SessionID)
	w.str("channel", t.Channel)
	if t.CampaignSource != "" || t.CampaignMedium != "" || t.CampaignName != "" {
		w.raw("campaign", "{")
		w.str("source", t.CampaignSource)
		w.str("medium", t.CampaignMedium)
		w.str("name", t.CampaignName)
		w.b = append(w.b, '}')
	}
	if t.Sentiment != nil {
		w.hundredths("sentiment", *t.Sentiment)
	} else {
		w.raw("sentiment", "null")
	}
	w.str("persona", t.Persona)
	w.str("status", t.Status)
	w.uint("revision", t.Revision)
	w.bool("live", t.Live)
	w.str("model", t.Model)
	w.millis("emitted_at", t.EmittedMillis)
	return append(w.b, "}}"...)
}

// DecodeTransition reads what AppendTransition wrote. Fields it does not know
// are ignored; another type of event is an error.
func DecodeTransition(b []byte, t *Transition) error {
	var e cloudEvent[transitionData]
	if err := json.Unmarshal(b, &e); err != nil {
		return fmt.Errorf("decode transition: %w", err)
	}
	if e.Type != TransitionType {
		return fmt.Errorf("decode transition: type is %q, want %q", e.Type, TransitionType)
	}
	at, emitted, err := eventTimes(e.Data.At, e.Data.Emitted)
	if err != nil {
		return fmt.Errorf("decode transition %s: %w", e.ID, err)
	}
	d := &e.Data
	*t = Transition{
		Profile: d.Profile, JourneyID: d.JourneyID, Seq: d.Seq, From: d.From, To: d.To,
		Direction: d.Direction, Substage: d.Substage, Skipped: d.Skipped, AtMillis: at,
		DwellMillis: d.DwellMillis, TouchpointID: d.TouchpointID, Identifier: d.Identifier,
		SessionID: d.SessionID, Channel: d.Channel, Persona: d.Persona, Status: d.Status, Revision: d.Revision,
		Live: d.Live, Model: d.Model, EmittedMillis: emitted,
	}
	if d.Sentiment != nil {
		score := int32(math.Round(*d.Sentiment * 100))
		t.Sentiment = &score
	}
	if d.Campaign != nil {
		t.CampaignSource, t.CampaignMedium, t.CampaignName = d.Campaign.Source, d.Campaign.Medium, d.Campaign.Name
	}
	return nil
}
