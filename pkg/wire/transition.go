package wire

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

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
func AppendTransition(b []byte, namespace string, t *Transition) ([]byte, error) {
	skipped := t.Skipped
	if skipped == nil {
		skipped = []string{}
	}
	e := cloudEvent[transitionData]{
		SpecVersion: "1.0",
		ID:          t.JourneyID + "/" + strconv.FormatUint(uint64(t.Seq), 10) + "/" + strconv.FormatUint(t.Revision, 10),
		Source:      "/cairn/" + namespace, Type: TransitionType, Subject: t.Profile,
		Time: formatMillis(t.AtMillis), DataContentType: ContentJSON,
		Data: transitionData{
			Profile: t.Profile, JourneyID: t.JourneyID, Seq: t.Seq, From: t.From, To: t.To,
			Direction: t.Direction, Substage: t.Substage, Skipped: skipped, At: formatMillis(t.AtMillis),
			DwellMillis: t.DwellMillis, TouchpointID: t.TouchpointID, Identifier: t.Identifier,
			SessionID: t.SessionID, Channel: t.Channel, Persona: t.Persona, Status: t.Status, Revision: t.Revision,
			Live: t.Live, Model: t.Model, Emitted: formatMillis(t.EmittedMillis),
		},
	}
	if t.Sentiment != nil {
		score := float64(*t.Sentiment) / 100
		e.Data.Sentiment = &score
	}
	if t.CampaignSource != "" || t.CampaignMedium != "" || t.CampaignName != "" {
		e.Data.Campaign = &transitionSource{t.CampaignSource, t.CampaignMedium, t.CampaignName}
	}
	raw, err := json.Marshal(&e)
	if err != nil {
		return b, fmt.Errorf("encode transition %s: %w", e.ID, err)
	}
	return append(b, raw...), nil
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
