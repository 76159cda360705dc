package shop

import (
	"fmt"
	"time"
)

// mailing is a newsletter in the customer's inbox.
func (c *customer) mailing(n *newsletter, at time.Time) {
	send := func(at time.Time, name, actor string) {
		e := c.event(at, channelEmail, name, &Properties{CampaignID: n.campaign.Name})
		e.Actor = actor
		e.Context = &Context{Campaign: &n.campaign}
		c.send(c.number, SourceNewsletter, e, between(c.r, time.Second, 2*time.Minute))
	}
	send(at, "email_sent", actorBusiness)
	if c.gone || !chance(c.r, c.reads) {
		return
	}
	at = at.Add(between(c.r, 2*time.Minute, 14*time.Hour))
	send(at, "email_opened", "")
	if !chance(c.r, 0.45) {
		return
	}
	at = at.Add(between(c.r, 5*time.Second, 90*time.Second))
	send(at, "email_clicked", "")
	w := c.walk(at.Add(between(c.r, time.Second, 5*time.Second)), pick(c.r, c.devices))
	w.campaign = &n.campaign
	w.browse()
}

// shop goes to a store, and the till knows the customer by the card. Tills
// upload their receipts in the evening.
func (c *customer) shop(at time.Time) {
	store := pick(c.r, c.catalog.stores)
	p := pick(c.r, c.catalog.products)
	send := func(at time.Time, name string, props *Properties) {
		c.till(at, name, props, c.evening(at).Sub(at))
	}
	if c.card != "" {
		send(at, "store_visited", &Properties{Store: store})
	}
	if chance(c.r, 0.5) {
		at = at.Add(between(c.r, 4*time.Minute, 15*time.Minute))
		send(at, "product_tried_on", &Properties{Store: store, ProductID: p.id})
	}
	if !chance(c.r, 0.5) {
		return
	}
	at = at.Add(between(c.r, 3*time.Minute, 20*time.Minute))
	send(at, "store_purchase_completed", &Properties{
		Store: store, ProductID: p.id, OrderID: fmt.Sprintf("r-%06d-%d", c.number, c.r.IntN(900)+100),
		Revenue: p.price, Currency: "EUR", Quantity: 1, PaymentMethod: "card",
	})
	c.bought = true
}

// evening is when the tills upload the receipts of a day.
func (c *customer) evening(at time.Time) time.Time {
	return at.Truncate(24 * time.Hour).Add(20*time.Hour + between(c.r, 0, 45*time.Minute))
}

// till sends a receipt or another note of a store.
func (c *customer) till(at time.Time, name string, p *Properties, delay time.Duration) {
	e := c.event(at, channelStore, name, p)
	if c.card != "" {
		e.ExternalIDs = []ExternalID{{Type: "loyalty", ID: c.card}}
	}
	c.send(c.number, SourceTill, e, max(delay, time.Minute))
}
