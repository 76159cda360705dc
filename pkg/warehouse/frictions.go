package warehouse

import (
	"fmt"
	"math"

	"github.com/cairnhq/cairn/pkg/journey"
)

// FrictionBatch gathers rows of the table frictions.
type FrictionBatch struct {
	columns
	id, profile, journey, name, kind         *textCol
	severity                                 *intCol[uint8]
	stage, substage                          *textCol
	at                                       *intCol[int64]
	touchpoint, identifier, session, channel *textCol
	persona, status                          *textCol
	live                                     *boolCol
	model                                    *textCol
	emitted                                  *intCol[int64]
	revision                                 *intCol[uint64]
}

// NewFrictionBatch makes an empty batch.
func NewFrictionBatch() *FrictionBatch {
	b := &FrictionBatch{columns: columns{table: TableFrictions}}
	c := &b.columns
	b.id = newText(c, "friction_id")
	b.profile = newText(c, "profile")
	b.journey = newText(c, "journey_id")
	b.name = newText(c, "name")
	b.kind = newText(c, "kind")
	b.severity = newNumber[uint8](c, "severity", "UInt8")
	b.stage = newText(c, "stage")
	b.substage = newText(c, "substage")
	b.at = moment(c, "at")
	b.touchpoint = newText(c, "touchpoint_id")
	b.identifier = newText(c, "identifier")
	b.session = newText(c, "session_id")
	b.channel = newText(c, "channel")
	b.persona = newText(c, "persona")
	b.status = newText(c, "status")
	b.live = newTruth(c, "live")
	b.model = newText(c, "model")
	b.emitted = moment(c, "emitted_at")
	b.revision = newNumber[uint64](c, "revision", "UInt64")
	return b
}

// Add adds a row. The table has one partition only.
func (b *FrictionBatch) Add(f *journey.Friction) error {
	if err := checkTimes("at emitted_at", f.AtMillis, f.EmittedMillis); err != nil {
		return err
	}
	if f.Severity < 0 || f.Severity > math.MaxUint8 {
		return fmt.Errorf("severity is %d: %w (want 0 to %d)", f.Severity, ErrRange, math.MaxUint8)
	}
	b.id.add(f.ID)
	b.profile.add(f.Profile)
	b.journey.add(f.JourneyID)
	b.name.add(f.Name)
	b.kind.add(f.Kind)
	b.severity.add(uint8(f.Severity))
	b.stage.add(f.Stage)
	b.substage.add(f.Substage)
	b.at.add(f.AtMillis)
	b.touchpoint.add(f.TouchpointID)
	b.identifier.add(f.Identifier)
	b.session.add(f.SessionID)
	b.channel.add(f.Channel)
	b.persona.add(f.Persona)
	b.status.add(f.Status)
	b.live.add(f.Live)
	b.model.add(f.Model)
	b.emitted.add(f.EmittedMillis)
	b.revision.add(f.Revision)
	b.rows++
	return nil
}
