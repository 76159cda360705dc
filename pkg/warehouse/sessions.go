package warehouse

import (
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// SessionBatch gathers rows of the table sessions.
type SessionBatch struct {
	columns
	id, identifier, status, mergedInto           *textCol
	started, ended, minted                       *intCol[int64]
	touchpoints                                  *intCol[uint64]
	channel, lastChannel, source                 *textCol
	landing, exit, referrer                      *textCol
	campaignSource, campaignMedium, campaignName *textCol
	revenue                                      *intCol[int64]
	bot, live                                    *boolCol
	revision                                     *intCol[uint64]
	device                                       *textCol
	pages                                        *intCol[uint64]
	events                                       *countsCol
	sentimentSum                                 *intCol[int64]
	sentimentCount                               *intCol[uint64]
	oversized                                    *boolCol
	channelGroup                                 *textCol
}

// NewSessionBatch makes an empty batch.
func NewSessionBatch() *SessionBatch {
	b := &SessionBatch{columns: columns{table: TableSessions}}
	c := &b.columns
	b.id = newText(c, "session_id")
	b.identifier = newText(c, "identifier")
	b.status = newText(c, "status")
	b.mergedInto = newText(c, "merged_into")
	b.started = moment(c, "started_at")
	b.ended = moment(c, "ended_at")
	b.minted = moment(c, "minted_at")
	b.touchpoints = newNumber[uint64](c, "touchpoints", "UInt64")
	b.channel = newText(c, "channel")
	b.lastChannel = newText(c, "last_channel")
	b.source = newText(c, "source")
	b.landing = newText(c, "landing_page")
	b.exit = newText(c, "exit_page")
	b.referrer = newText(c, "referrer")
	b.campaignSource = newText(c, "campaign_source")
	b.campaignMedium = newText(c, "campaign_medium")
	b.campaignName = newText(c, "campaign_name")
	b.revenue = newNumber[int64](c, "revenue_micros", "Int64")
	b.bot = newTruth(c, "is_bot")
	b.live = newTruth(c, "live")
	b.revision = newNumber[uint64](c, "revision", "UInt64")
	b.device = newText(c, "device")
	b.pages = newNumber[uint64](c, "pages", "UInt64")
	b.events = newCounts(c, "event_counts")
	b.sentimentSum = newNumber[int64](c, "sentiment_sum", "Int64")
	b.sentimentCount = newNumber[uint64](c, "sentiment_count", "UInt64")
	b.oversized = newTruth(c, "oversized")
	b.channelGroup = newText(c, "channel_group")
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
	id, profile, status, mergedInto *textCol
	started, ended, minted          *intCol[int64]
	touchpoints, sessions           *intCol[uint64]
	revenue                         *intCol[int64]
	stage, substage, furthest       *textCol
	converted                       *boolCol
	transitions                     *intCol[uint64]
	model                           *textCol
	approximate, live               *boolCol
	revision                        *intCol[uint64]
	business                        *intCol[uint64]
	persona                         *textCol
	sentimentSum                    *intCol[int64]
	sentimentCount                  *intCol[uint64]
	intent                          *intCol[int64]
}

// NewJourneyBatch makes an empty batch.
func NewJourneyBatch() *JourneyBatch {
	b := &JourneyBatch{columns: columns{table: TableJourneys}}
	c := &b.columns
	b.id = newText(c, "journey_id")
	b.profile = newText(c, "profile")
	b.status = newText(c, "status")
	b.mergedInto = newText(c, "merged_into")
	b.started = moment(c, "started_at")
	b.ended = moment(c, "ended_at")
	b.minted = moment(c, "minted_at")
	b.touchpoints = newNumber[uint64](c, "touchpoints", "UInt64")
	b.sessions = newNumber[uint64](c, "sessions", "UInt64")
	b.revenue = newNumber[int64](c, "revenue_micros", "Int64")
	b.stage = newText(c, "stage")
	b.substage = newText(c, "substage")
	b.furthest = newText(c, "furthest_stage")
	b.converted = newTruth(c, "converted")
	b.transitions = newNumber[uint64](c, "transitions", "UInt64")
	b.model = newText(c, "model")
	b.approximate = newTruth(c, "approximate")
	b.live = newTruth(c, "live")
	b.revision = newNumber[uint64](c, "revision", "UInt64")
	b.business = newNumber[uint64](c, "business_touchpoints", "UInt64")
	b.persona = newText(c, "persona")
	b.sentimentSum = newNumber[int64](c, "sentiment_sum", "Int64")
	b.sentimentCount = newNumber[uint64](c, "sentiment_count", "UInt64")
	b.intent = newNumber[int64](c, "intent_millis", "Int64")
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
