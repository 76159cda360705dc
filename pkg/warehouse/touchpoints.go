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
	origin, reason *col[string]
	touchpointColumns
}

// NewLateBatch makes an empty batch.
func NewLateBatch() *LateBatch {
	b := &LateBatch{columns: columns{table: TableLate}}
	b.origin = column[string](&b.columns, "origin")
	b.reason = column[string](&b.columns, "reason")
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
	messageID, identifier, userID, owner                                        *col[string]
	others                                                                      *col[[]string]
	kind, event                                                                 *col[string]
	at, received, original                                                      *col[int64]
	flags                                                                       *col[uint32]
	channel, actor, source, session                                             *col[string]
	pageURL, pagePath, pageTitle, referrer                                      *col[string]
	campaignSource, campaignMedium, campaignName, campaignTerm, campaignContent *col[string]
	userAgent, ip, locale                                                       *col[string]
	revenue                                                                     *col[int64]
	currency, properties, traits, context, previousID                           *col[string]
	rawPartition                                                                *col[int32]
	rawOffset                                                                   *col[int64]
	revision                                                                    *col[uint64]
	sentiment                                                                   *col[int16]
	sentimentSource, device                                                     *col[string]
	channelGroup, referrerHost, referrerClass, clickIDKind, clickID, campaignID *col[string]
	browser, browserVersion, os, osVersion, country, region, city               *col[string]
}

func newTouchpointColumns(c *columns) touchpointColumns {
	return touchpointColumns{
		messageID:       column[string](c, "message_id"),
		identifier:      column[string](c, "identifier"),
		userID:          column[string](c, "user_id"),
		owner:           column[string](c, "owner"),
		others:          column[[]string](c, "other_identifiers"),
		kind:            column[string](c, "type"),
		event:           column[string](c, "event"),
		at:              column[int64](c, "event_time"),
		received:        column[int64](c, "received_at"),
		original:        column[int64](c, "original_time"),
		flags:           column[uint32](c, "flags"),
		channel:         column[string](c, "channel"),
		actor:           column[string](c, "actor"),
		source:          column[string](c, "source"),
		session:         column[string](c, "session_id"),
		pageURL:         column[string](c, "page_url"),
		pagePath:        column[string](c, "page_path"),
		pageTitle:       column[string](c, "page_title"),
		referrer:        column[string](c, "referrer"),
		campaignSource:  column[string](c, "campaign_source"),
		campaignMedium:  column[string](c, "campaign_medium"),
		campaignName:    column[string](c, "campaign_name"),
		campaignTerm:    column[string](c, "campaign_term"),
		campaignContent: column[string](c, "campaign_content"),
		userAgent:       column[string](c, "user_agent"),
		ip:              column[string](c, "ip"),
		locale:          column[string](c, "locale"),
		revenue:         column[int64](c, "revenue_micros"),
		currency:        column[string](c, "currency"),
		properties:      column[string](c, "properties"),
		traits:          column[string](c, "traits"),
		context:         column[string](c, "context"),
		previousID:      column[string](c, "previous_id"),
		rawPartition:    column[int32](c, "raw_partition"),
		rawOffset:       column[int64](c, "raw_offset"),
		revision:        column[uint64](c, "revision"),
		sentiment:       column[int16](c, "sentiment"),
		sentimentSource: column[string](c, "sentiment_source"),
		device:          column[string](c, "device"),
		channelGroup:    column[string](c, "channel_group"),
		referrerHost:    column[string](c, "referrer_host"),
		referrerClass:   column[string](c, "referrer_class"),
		clickIDKind:     column[string](c, "click_id_kind"),
		clickID:         column[string](c, "click_id"),
		campaignID:      column[string](c, "campaign_id"),
		browser:         column[string](c, "browser"),
		browserVersion:  column[string](c, "browser_version"),
		os:              column[string](c, "os"),
		osVersion:       column[string](c, "os_version"),
		country:         column[string](c, "country"),
		region:          column[string](c, "region"),
		city:            column[string](c, "city"),
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
