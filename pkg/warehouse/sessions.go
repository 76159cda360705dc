package warehouse

import (
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
	device                                       *col[string]
	pages                                        *col[uint64]
	events                                       *col[eventCounts]
	sentimentSum                                 *col[int64]
	sentimentCount                               *col[uint64]
	oversized                                    *col[bool]
	channelGroup                                 *col[string]
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
	b.device = column[string](c, "device")
	b.pages = column[uint64](c, "pages")
	b.events = column[eventCounts](c, "event_counts")
	b.sentimentSum = column[int64](c, "sentiment_sum")
	b.sentimentCount = column[uint64](c, "sentiment_count")
	b.oversized = column[bool](c, "oversized")
	b.channelGroup = column[string](c, "channel_group")
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
	b.device.add(s.Device)
	b.pages.add(s.Pages)
	b.events.add(s.Events)
	b.sentimentSum.add(s.SentimentSum)
	b.sentimentCount.add(s.SentimentCount)
	b.oversized.add(s.Oversized)
	b.channelGroup.add(s.ChannelGroup)
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
	business                        *col[uint64]
	persona                         *col[string]
	sentimentSum                    *col[int64]
	sentimentCount                  *col[uint64]
	intent                          *col[int64]
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
	b.business = column[uint64](c, "business_touchpoints")
	b.persona = column[string](c, "persona")
	b.sentimentSum = column[int64](c, "sentiment_sum")
	b.sentimentCount = column[uint64](c, "sentiment_count")
	b.intent = column[int64](c, "intent_millis")
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
	b.business.add(j.BusinessTouchpoints)
	b.persona.add(j.Persona)
	b.sentimentSum.add(j.SentimentSum)
	b.sentimentCount.add(j.SentimentCount)
	b.intent.add(j.IntentMillis)
	b.rows++
	return nil
}
