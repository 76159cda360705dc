package warehouse

import (
	"github.com/cairnhq/cairn/pkg/wire"
)

// TransitionBatch gathers rows of the table transitions.
type TransitionBatch struct {
	columns
	journey                                      *col[string]
	seq                                          *col[uint32]
	profile, from, to, direction, substage       *col[string]
	skipped                                      *col[[]string]
	at                                           *col[int64]
	dwell                                        *col[*int64]
	touchpoint, identifier, session, channel     *col[string]
	campaignSource, campaignMedium, campaignName *col[string]
	status                                       *col[string]
	live                                         *col[bool]
	model                                        *col[string]
	emitted                                      *col[int64]
	revision                                     *col[uint64]
	sentiment                                    *col[*int16]
	persona                                      *col[string]
}

// NewTransitionBatch makes an empty batch.
func NewTransitionBatch() *TransitionBatch {
	b := &TransitionBatch{columns: columns{table: TableTransitions}}
	c := &b.columns
	b.journey = column[string](c, "journey_id")
	b.seq = column[uint32](c, "seq")
	b.profile = column[string](c, "profile")
	b.from = column[string](c, "from_stage")
	b.to = column[string](c, "to_stage")
	b.direction = column[string](c, "direction")
	b.substage = column[string](c, "substage")
	b.skipped = column[[]string](c, "skipped")
	b.at = column[int64](c, "at")
	b.dwell = column[*int64](c, "dwell_ms")
	b.touchpoint = column[string](c, "touchpoint_id")
	b.identifier = column[string](c, "identifier")
	b.session = column[string](c, "session_id")
	b.channel = column[string](c, "channel")
	b.campaignSource = column[string](c, "campaign_source")
	b.campaignMedium = column[string](c, "campaign_medium")
	b.campaignName = column[string](c, "campaign_name")
	b.status = column[string](c, "status")
	b.live = column[bool](c, "live")
	b.model = column[string](c, "model")
	b.emitted = column[int64](c, "emitted_at")
	b.revision = column[uint64](c, "revision")
	b.sentiment = column[*int16](c, "sentiment")
	b.persona = column[string](c, "persona")
	return b
}

// Add adds a row. The table has one partition only.
func (b *TransitionBatch) Add(t *wire.Transition) error {
	if err := checkTimes("at emitted_at", t.AtMillis, t.EmittedMillis); err != nil {
		return err
	}
	sentiment, err := nullableScore(t.Sentiment)
	if err != nil {
		return err
	}
	b.journey.add(t.JourneyID)
	b.seq.add(t.Seq)
	b.profile.add(t.Profile)
	b.from.add(t.From)
	b.to.add(t.To)
	b.direction.add(t.Direction)
	b.substage.add(t.Substage)
	b.skipped.add(t.Skipped)
	b.at.add(t.AtMillis)
	b.dwell.add(t.DwellMillis)
	b.touchpoint.add(t.TouchpointID)
	b.identifier.add(t.Identifier)
	b.session.add(t.SessionID)
	b.channel.add(t.Channel)
	b.campaignSource.add(t.CampaignSource)
	b.campaignMedium.add(t.CampaignMedium)
	b.campaignName.add(t.CampaignName)
	b.status.add(t.Status)
	b.live.add(t.Live)
	b.model.add(t.Model)
	b.emitted.add(t.EmittedMillis)
	b.revision.add(t.Revision)
	b.sentiment.add(sentiment)
	b.persona.add(t.Persona)
	b.rows++
	return nil
}

// nullableScore is a score as its column has it; nil stays nil.
func nullableScore(hundredths *int32) (*int16, error) {
	if hundredths == nil {
		return nil, nil
	}
	if err := checkScore(*hundredths); err != nil {
		return nil, err
	}
	score := int16(*hundredths)
	return &score, nil
}
