package warehouse

import (
	"github.com/cairnhq/cairn/pkg/wire"
)

// TransitionBatch gathers rows of the table transitions.
type TransitionBatch struct {
	columns
	journey                                      *textCol
	seq                                          *intCol[uint32]
	profile, from, to, direction, substage       *textCol
	skipped                                      *textsCol
	at                                           *intCol[int64]
	dwell                                        *nullCol[int64]
	touchpoint, identifier, session, channel     *textCol
	campaignSource, campaignMedium, campaignName *textCol
	status                                       *textCol
	live                                         *boolCol
	model                                        *textCol
	emitted                                      *intCol[int64]
	revision                                     *intCol[uint64]
	sentiment                                    *nullCol[int16]
	persona                                      *textCol
}

// NewTransitionBatch makes an empty batch.
func NewTransitionBatch() *TransitionBatch {
	b := &TransitionBatch{columns: columns{table: TableTransitions}}
	c := &b.columns
	b.journey = newText(c, "journey_id")
	b.seq = newNumber[uint32](c, "seq", "UInt32")
	b.profile = newText(c, "profile")
	b.from = newText(c, "from_stage")
	b.to = newText(c, "to_stage")
	b.direction = newText(c, "direction")
	b.substage = newText(c, "substage")
	b.skipped = newTexts(c, "skipped")
	b.at = moment(c, "at")
	b.dwell = newOptional[int64](c, "dwell_ms", "Int64")
	b.touchpoint = newText(c, "touchpoint_id")
	b.identifier = newText(c, "identifier")
	b.session = newText(c, "session_id")
	b.channel = newText(c, "channel")
	b.campaignSource = newText(c, "campaign_source")
	b.campaignMedium = newText(c, "campaign_medium")
	b.campaignName = newText(c, "campaign_name")
	b.status = newText(c, "status")
	b.live = newTruth(c, "live")
	b.model = newText(c, "model")
	b.emitted = moment(c, "emitted_at")
	b.revision = newNumber[uint64](c, "revision", "UInt64")
	b.sentiment = newOptional[int16](c, "sentiment", "Int16")
	b.persona = newText(c, "persona")
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
