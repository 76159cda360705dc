package warehouse

import (
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// SessionBatch gathers rows of the table sessions.
type SessionBatch struct {
	columns
	id, identifier, status, mergedInto           *col[string]
	started, ended, minted                       *col[int64]
	touchpoints                                  *col[uint64]
	channel, lastChannel, source                 *col[string]
	landing, exit, referrer                      *col[string]
	campaignSource, campaignMedium, campaignName *col[string]
	revenue                                      *col[int64]
	bot, live                                    *col[bool]
	revision                                     *col[uint64]
}

// NewSessionBatch makes an empty batch.
func NewSessionBatch() *SessionBatch {
	b := &SessionBatch{columns: columns{table: TableSessions}}
	c := &b.columns
	b.id = column[string](c, "session_id")
	b.identifier = column[string](c, "identifier")
	b.status = column[string](c, "status")
	b.mergedInto = column[string](c, "merged_into")
	b.started = column[int64](c, "started_at")
	b.ended = column[int64](c, "ended_at")
	b.minted = column[int64](c, "minted_at")
	b.touchpoints = column[uint64](c, "touchpoints")
	b.channel = column[string](c, "channel")
	b.lastChannel = column[string](c, "last_channel")
	b.source = column[string](c, "source")
	b.landing = column[string](c, "landing_page")
	b.exit = column[string](c, "exit_page")
	b.referrer = column[string](c, "referrer")
	b.campaignSource = column[string](c, "campaign_source")
	b.campaignMedium = column[string](c, "campaign_medium")
	b.campaignName = column[string](c, "campaign_name")
	b.revenue = column[int64](c, "revenue_micros")
	b.bot = column[bool](c, "is_bot")
	b.live = column[bool](c, "live")
	b.revision = column[uint64](c, "revision")
	return b
}

// Add adds a row. Its partition is MonthOf(s.MintedMs).
func (b *SessionBatch) Add(s *wirepb.Session) error {
	if err := checkTimes("started_at ended_at minted_at", s.StartedMs, s.EndedMs, s.MintedMs); err != nil {
		return err
	}
	b.id.add(s.SessionId)
	b.identifier.add(s.Identifier)
	b.status.add(s.Status)
	b.mergedInto.add(s.MergedInto)
	b.started.add(s.StartedMs)
	b.ended.add(s.EndedMs)
	b.minted.add(s.MintedMs)
	b.touchpoints.add(s.Touchpoints)
	b.channel.add(s.Channel)
	b.lastChannel.add(s.LastChannel)
	b.source.add(s.Source)
	b.landing.add(s.LandingPage)
	b.exit.add(s.ExitPage)
	b.referrer.add(s.Referrer)
	b.campaignSource.add(s.CampaignSource)
	b.campaignMedium.add(s.CampaignMedium)
	b.campaignName.add(s.CampaignName)
	b.revenue.add(s.RevenueMicros)
	b.bot.add(s.IsBot)
	b.live.add(s.Live)
	b.revision.add(s.Revision)
	b.rows++
	return nil
}

// JourneyBatch gathers rows of the table journeys.
type JourneyBatch struct {
	columns
	id, profile, status, mergedInto *col[string]
	started, ended, minted          *col[int64]
	touchpoints, sessions           *col[uint64]
	revenue                         *col[int64]
	stage, substage, furthest       *col[string]
	converted                       *col[bool]
	transitions                     *col[uint64]
	model                           *col[string]
	approximate, live               *col[bool]
	revision                        *col[uint64]
}

// NewJourneyBatch makes an empty batch.
func NewJourneyBatch() *JourneyBatch {
	b := &JourneyBatch{columns: columns{table: TableJourneys}}
	c := &b.columns
	b.id = column[string](c, "journey_id")
	b.profile = column[string](c, "profile")
	b.status = column[string](c, "status")
	b.mergedInto = column[string](c, "merged_into")
	b.started = column[int64](c, "started_at")
	b.ended = column[int64](c, "ended_at")
	b.minted = column[int64](c, "minted_at")
	b.touchpoints = column[uint64](c, "touchpoints")
	b.sessions = column[uint64](c, "sessions")
	b.revenue = column[int64](c, "revenue_micros")
	b.stage = column[string](c, "stage")
	b.substage = column[string](c, "substage")
	b.furthest = column[string](c, "furthest_stage")
	b.converted = column[bool](c, "converted")
	b.transitions = column[uint64](c, "transitions")
	b.model = column[string](c, "model")
	b.approximate = column[bool](c, "approximate")
	b.live = column[bool](c, "live")
	b.revision = column[uint64](c, "revision")
	return b
}

// Add adds a row. Its partition is MonthOf(j.MintedMs).
func (b *JourneyBatch) Add(j *wirepb.Journey) error {
	if err := checkTimes("started_at ended_at minted_at", j.StartedMs, j.EndedMs, j.MintedMs); err != nil {
		return err
	}
	b.id.add(j.JourneyId)
	b.profile.add(j.Profile)
	b.status.add(j.Status)
	b.mergedInto.add(j.MergedInto)
	b.started.add(j.StartedMs)
	b.ended.add(j.EndedMs)
	b.minted.add(j.MintedMs)
	b.touchpoints.add(j.Touchpoints)
	b.sessions.add(j.Sessions)
	b.revenue.add(j.RevenueMicros)
	b.stage.add(j.Stage)
	b.substage.add(j.Substage)
	b.furthest.add(j.FurthestStage)
	b.converted.add(j.Converted)
	b.transitions.add(j.Transitions)
	b.model.add(j.Model)
	b.approximate.add(j.Approximate)
	b.live.add(j.Live)
	b.revision.add(j.Revision)
	b.rows++
	return nil
}

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
	return b
}

// Add adds a row. The table has one partition only.
func (b *TransitionBatch) Add(t *wire.Transition) error {
	if err := checkTimes("at emitted_at", t.AtMillis, t.EmittedMillis); err != nil {
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
	b.rows++
	return nil
}
