package wire

import (
	"encoding/json"
	"fmt"

	"github.com/cairnhq/cairn/pkg/journey"
)

// FrictionType is the CloudEvents type of a friction.
const FrictionType = "cairn.friction.v1"

// frictionData is the data member of the event; the names are public.
type frictionData struct {
	FrictionID   string `json:"friction_id"`
	Profile      string `json:"profile"`
	JourneyID    string `json:"journey_id"`
	Name         string `json:"name"`
	Kind         string `json:"kind"`
	Severity     int    `json:"severity"`
	Stage        string `json:"stage"`
	Substage     string `json:"substage"`
	At           string `json:"at"`
	TouchpointID string `json:"touchpoint_id"`
	Identifier   string `json:"identifier"`
	SessionID    string `json:"session_id"`
	Channel      string `json:"channel"`
	Persona      string `json:"persona"`
	Status       string `json:"status"`
	Revision     uint64 `json:"revision"`
	Live         bool   `json:"live"`
	Model        string `json:"model"`
	Emitted      string `json:"emitted_at"`
}

// AppendFriction appends f as a structured-mode CloudEvent whose source is the
// namespace. The id is friction/revision, so that it is unique.
func AppendFriction(b []byte, namespace string, f *journey.Friction) []byte {
	w := jsonWriter{b}
	w.event(namespace, FrictionType, f.Profile, f.AtMillis, f.ID, f.Revision)
	w.str("friction_id", f.ID)
	w.str("profile", f.Profile)
	w.str("journey_id", f.JourneyID)
	w.str("name", f.Name)
	w.str("kind", f.Kind)
	w.int("severity", int64(f.Severity))
	w.str("stage", f.Stage)
	w.str("substage", f.Substage)
	w.millis("at", f.AtMillis)
	w.str("touchpoint_id", f.TouchpointID)
	w.str("identifier", f.Identifier)
	w.str("session_id", f.SessionID)
	w.str("channel", f.Channel)
	w.str("persona", f.Persona)
	w.str("status", f.Status)
	w.uint("revision", f.Revision)
	w.bool("live", f.Live)
	w.str("model", f.Model)
	w.millis("emitted_at", f.EmittedMillis)
	return append(w.b, "}}"...)
}

// DecodeFriction reads what AppendFriction wrote. Fields it does not know are
// ignored; another type of event is an error.
func DecodeFriction(b []byte, f *journey.Friction) error {
	var e cloudEvent[frictionData]
	if err := json.Unmarshal(b, &e); err != nil {
		return fmt.Errorf("decode friction: %w", err)
	}
	if e.Type != FrictionType {
		return fmt.Errorf("decode friction: type is %q, want %q", e.Type, FrictionType)
	}
	at, emitted, err := eventTimes(e.Data.At, e.Data.Emitted)
	if err != nil {
		return fmt.Errorf("decode friction %s: %w", e.ID, err)
	}
	d := &e.Data
	*f = journey.Friction{
		ID: d.FrictionID, Profile: d.Profile, JourneyID: d.JourneyID, Name: d.Name, Kind: d.Kind, Severity: d.Severity,
		Stage: d.Stage, Substage: d.Substage, AtMillis: at, TouchpointID: d.TouchpointID, Identifier: d.Identifier,
		SessionID: d.SessionID, Channel: d.Channel, Persona: d.Persona, Status: d.Status, Revision: d.Revision,
		Live: d.Live, Model: d.Model, EmittedMillis: emitted,
	}
	return nil
}
