package shop

import (
	"math/rand/v2"
	"slices"
	"time"
)

// Noise, as shares of 1.
const (
	sentTwice = 0.006 // a client did not hear the answer and sends an event again
)

// noise adds what goes wrong on the way. Persons from customers on up to persons
// are robots; what is of nobody is counted after them.
func (g *generator) noise(customers, persons int) {
	r := g.random(persons)
	for _, s := range slices.Clip(g.week.Sends) {
		if chance(r, sentTwice) {
			s.At = s.At.Add(between(r, 2*time.Second, 3*time.Minute))
			g.week.Sends = append(g.week.Sends, s)
		}
	}
	for range 3 + customers/200 {
		g.nameless(r, persons)
	}
	for range 1 + customers/500 {
		g.badActor(r, persons)
	}
	for range 1 + customers/400 {
		g.forgotten(r, customers)
	}
}

// nameless is an event of a client that has lost its ids.
func (g *generator) nameless(r *rand.Rand, person int) {
	at := g.moment(r, r.IntN(7))
	e := &Event{
		MessageID: "ajs-" + uuid(r), Type: "track", Event: "product_viewed", AnonymousID: pick(r, []string{"undefined", "null", ""}),
		Timestamp: Time{at}, Channel: channelWeb, Properties: &Properties{ProductID: pick(r, g.catalog.products).id},
		Context: &Context{UserAgent: pick(r, g.catalog.browsers)},
	}
	g.send(person, SourceWeb, e, time.Second)
}

// badActor is an event of a help desk that was set up wrongly.
func (g *generator) badActor(r *rand.Rand, person int) {
	e := &Event{
		MessageID: uuid(r), Type: "track", Event: "ticket_replied", UserID: "helpdesk-test", Timestamp: Time{g.moment(r, r.IntN(7))},
		Channel: channelSupport, Actor: "autoresponder",
	}
	g.send(person, SourceHelpdesk, e, time.Minute)
}

// forgotten is a receipt that a till uploads weeks later: beyond the horizon.
func (g *generator) forgotten(r *rand.Rand, customers int) {
	at := g.week.Start.Add(-between(r, 32*24*time.Hour, 45*24*time.Hour))
	e := Event{
		MessageID: uuid(r), Type: "track", Event: "store_purchase_completed", UserID: "till-" + pick(r, g.catalog.stores),
		Timestamp: Time{at}, Channel: channelStore, Properties: &Properties{Revenue: pick(r, g.catalog.products).price, Currency: "EUR"},
	}
	sent := g.week.Start.AddDate(0, 0, r.IntN(7)).Add(20 * time.Hour)
	g.week.Sends = append(g.week.Sends, Send{At: sent, Source: SourceTill, Person: uint32(customers), Event: e})
}

// robot is a crawler that walks through the site at night.
type robot struct{ *walk }

func (g *generator) robot(number int) robot {
	c := &customer{generator: g, number: number, r: g.random(number), locale: "en"}
	return robot{&walk{customer: c, device: g.device(c.r, pick(c.r, g.catalog.robots))}}
}

func (b robot) crawl() {
	for day := range 7 {
		if !chance(b.r, 0.6) {
			continue
		}
		b.at = b.week.Start.AddDate(0, 0, day).Add(between(b.r, 0, 6*time.Hour))
		for range 4 + b.r.IntN(12) {
			p := pick(b.r, b.catalog.products)
			b.page("/p/"+p.id, p.name)
		}
	}
}
