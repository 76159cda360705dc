package warehouse

import (
	"fmt"
	"math"

	"github.com/cairnhq/cairn/pkg/journey"
)

// FrictionBatch gathers rows of the table frictions.
type FrictionBatch struct {
	columns
	id, profile, journey, name, kind         *col[string]
	severity                                 *col[uint8]
	stage, substage                          *col[string]
	at                                       *col[int64]
	touchpoint, identifier, session, channel *col[string]
	persona, status                          *col[string]
	live                                     *col[bool]
	model                                    *col[string]
	emitted                                  *col[int64]
	revision                                 *col[uint64]
}

// NewFrictionBatch makes an empty batch.
func NewFrictionBatch() *FrictionBatch {
	b := &FrictionBatch{columns: columns{table: TableFrictions}}
	c := &b.columns
	b.id = column[string](c, "friction_id")
	b.profile = column[string](c, "profile")
	b.journey = column[string](c, "journey_id")
	b.name = column[string](c, "name")
	b.kind = column[string](c, "kind")
	b.severity = column[uint8](c, "severity")
	b.stage = column[string](c, "stage")
	b.substage = column[string](c, "substage")
	b.at = column[int64](c, "at")
	b.touchpoint = column[string](c, "touchpoint_id")
	b.identifier = column[string](c, "identifier")
	b.session = column[string](c, "session_id")
	b.channel = column[string](c, "channel")
	b.persona = column[string](c, "persona")
	b.status = column[string](c, "status")
	b.live = column[bool](c, "live")
	b.model = column[string](c, "model")
	b.emitted = column[int64](c, "emitted_at")
	b.revision = column[uint64](c, "revision")
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
