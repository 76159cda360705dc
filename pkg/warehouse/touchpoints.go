package warehouse

import (
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// TouchpointBatch gathers rows of the table touchpoints.
type TouchpointBatch struct {
	columns
	touchpointColumns
}

// NewTouchpointBatch makes an empty batch.
func NewTouchpointBatch() *TouchpointBatch {
	b := &TouchpointBatch{columns: columns{table: TableTouchpoints}}
	b.touchpointColumns = newTouchpointColumns(&b.columns)
	return b
}

// Add adds a row. Its partition is MonthOf(t.TimeMs).
func (b *TouchpointBatch) Add(t *wirepb.Touchpoint) error {
	if err := checkTouchpoint(t); err != nil {
		return err
	}
	b.add(t)
	b.rows++
	return nil
}

// LateBatch gathers rows of the table late.
type LateBatch struct {
	columns
	origin, reason *textCol
	touchpointColumns
}

// NewLateBatch makes an empty batch.
func NewLateBatch() *LateBatch {
	b := &LateBatch{columns: columns{table: TableLate}}
	b.origin = newText(&b.columns, "origin")
	b.reason = newText(&b.columns, "reason")
	b.touchpointColumns = newTouchpointColumns(&b.columns)
	return b
}

// Add adds a row; origin is where the record stands in touchpoints.raw.
func (b *LateBatch) Add(origin, reason string, t *wirepb.Touchpoint) error {
	if err := checkTouchpoint(t); err != nil {
		return err
	}
	b.origin.add(origin)
	b.reason.add(reason)
	b.add(t)
	b.rows++
	return nil
}

func checkTouchpoint(t *wirepb.Touchpoint) error {
	if err := checkTimes("event_time received_at original_time", t.TimeMs, t.ReceivedMs, t.OriginalMs); err != nil {
		return err
	}
	return checkScore(t.Sentiment)
}

// touchpointColumns are the columns that touchpoints and late share.
type touchpointColumns struct {
	messageID, identifier, userID, owner                                        *textCol
	others                                                                      *textsCol
	kind, event                                                                 *textCol
	at, received, original                                                      *intCol[int64]
	flags                                                                       *intCol[uint32]
	channel, actor, source, session                                             *textCol
	pageURL, pagePath, pageTitle, referrer                                      *textCol
	campaignSource, campaignMedium, campaignName, campaignTerm, campaignContent *textCol
	userAgent, ip, locale                                                       *textCol
	revenue                                                                     *intCol[int64]
	currency, properties, traits, context, previousID                           *textCol
	rawPartition                                                                *intCol[int32]
	rawOffset                                                                   *intCol[int64]
	revision                                                                    *intCol[uint64]
	sentiment                                                                   *intCol[int16]
	sentimentSource, device                                                     *textCol
	channelGroup, referrerHost, referrerClass, clickIDKind, clickID, campaignID *textCol
	browser, browserVersion, os, osVersion, country, region, city               *textCol
}

func newTouchpointColumns(c *columns) touchpointColumns {
	return touchpointColumns{
		messageID:       newText(c, "message_id"),
		identifier:      newText(c, "identifier"),
		userID:          newText(c, "user_id"),
		owner:           newText(c, "owner"),
		others:          newTexts(c, "other_identifiers"),
		kind:            newText(c, "type"),
		event:           newText(c, "event"),
		at:              moment(c, "event_time"),
		received:        moment(c, "received_at"),
		original:        moment(c, "original_time"),
		flags:           newNumber[uint32](c, "flags", "UInt32"),
		channel:         newText(c, "channel"),
		actor:           newText(c, "actor"),
		source:          newText(c, "source"),
		session:         newText(c, "session_id"),
		pageURL:         newText(c, "page_url"),
		pagePath:        newText(c, "page_path"),
		pageTitle:       newText(c, "page_title"),
		referrer:        newText(c, "referrer"),
		campaignSource:  newText(c, "campaign_source"),
		campaignMedium:  newText(c, "campaign_medium"),
		campaignName:    newText(c, "campaign_name"),
		campaignTerm:    newText(c, "campaign_term"),
		campaignContent: newText(c, "campaign_content"),
		userAgent:       newText(c, "user_agent"),
		ip:              newText(c, "ip"),
		locale:          newText(c, "locale"),
		revenue:         newNumber[int64](c, "revenue_micros", "Int64"),
		currency:        newText(c, "currency"),
		properties:      newText(c, "properties"),
		traits:          newText(c, "traits"),
		context:         newText(c, "context"),
		previousID:      newText(c, "previous_id"),
		rawPartition:    newNumber[int32](c, "raw_partition", "Int32"),
		rawOffset:       newNumber[int64](c, "raw_offset", "Int64"),
		revision:        newNumber[uint64](c, "revision", "UInt64"),
		sentiment:       newNumber[int16](c, "sentiment", "Int16"),
		sentimentSource: newText(c, "sentiment_source"),
		device:          newText(c, "device"),
		channelGroup:    newText(c, "channel_group"),
		referrerHost:    newText(c, "referrer_host"),
		referrerClass:   newText(c, "referrer_class"),
		clickIDKind:     newText(c, "click_id_kind"),
		clickID:         newText(c, "click_id"),
		campaignID:      newText(c, "campaign_id"),
		browser:         newText(c, "browser"),
		browserVersion:  newText(c, "browser_version"),
		os:              newText(c, "os"),
		osVersion:       newText(c, "os_version"),
		country:         newText(c, "country"),
		region:          newText(c, "region"),
		city:            newText(c, "city"),
	}
}

func (c *touchpointColumns) add(t *wirepb.Touchpoint) {
	c.messageID.add(t.MessageId)
	c.identifier.add(t.Identifier)
	c.userID.add(t.UserId)
	c.owner.add(t.Owner)
	c.others.add(t.OtherIdentifiers)
	c.kind.add(t.Type)
	c.event.add(t.Event)
	c.at.add(t.TimeMs)
	c.received.add(t.ReceivedMs)
	c.original.add(t.OriginalMs)
	c.flags.add(t.Flags)
	c.channel.add(t.Channel)
	c.actor.add(t.Actor)
	c.source.add(t.Source)
	c.session.add(t.SessionId)
	c.pageURL.add(t.PageUrl)
	c.pagePath.add(t.PagePath)
	c.pageTitle.add(t.PageTitle)
	c.referrer.add(t.Referrer)
	c.campaignSource.add(t.CampaignSource)
	c.campaignMedium.add(t.CampaignMedium)
	c.campaignName.add(t.CampaignName)
	c.campaignTerm.add(t.CampaignTerm)
	c.campaignContent.add(t.CampaignContent)
	c.userAgent.add(t.UserAgent)
	c.ip.add(t.Ip)
	c.locale.add(t.Locale)
	c.revenue.add(t.RevenueMicros)
	c.currency.add(t.Currency)
	c.properties.add(t.Properties)
	c.traits.add(t.Traits)
	c.context.add(t.Context)
	c.previousID.add(t.PreviousId)
	c.rawPartition.add(t.RawPartition)
	c.rawOffset.add(t.RawOffset)
	c.revision.add(t.Revision)
	c.sentiment.add(int16(t.Sentiment)) // checkTouchpoint knows that it fits
	c.sentimentSource.add(t.SentimentSource)
	c.device.add(t.Device)
	c.channelGroup.add(t.ChannelGroup)
	c.referrerHost.add(t.ReferrerHost)
	c.referrerClass.add(t.ReferrerClass)
	c.clickIDKind.add(t.ClickIdKind)
	c.clickID.add(t.ClickId)
	c.campaignID.add(t.CampaignId)
	c.browser.add(t.Browser)
	c.browserVersion.add(t.BrowserVersion)
	c.os.add(t.Os)
	c.osVersion.add(t.OsVersion)
	c.country.add(t.Country)
	c.region.add(t.Region)
	c.city.add(t.City)
}
