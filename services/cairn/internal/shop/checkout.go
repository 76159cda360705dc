package shop

import (
	"fmt"
	"time"
)

// How checkouts end, as shares of 1.
const (
	orderedWhileBroken = 0.21 // of all: with an order
	orderedOnceFixed   = 0.66
	failsWhileBroken   = 0.9 // of those without an order: the payment failed; the others just leave
	failsOnceFixed     = 0.08
	leavesForGood      = 0.85 // of those whose payment failed at the broken checkout: no further visit
	callsSupport       = 0.3  // likewise
	triesAgainLater    = 0.05 // likewise, once it is fixed
)

// checkout is where this shop loses half a week's orders.
func (w *walk) checkout(c *cart) {
	if !w.device.loggedIn {
		w.logIn() // nobody orders without a name
	}
	w.page("/checkout", "Checkout")
	w.track("checkout_started", &Properties{CartID: c.id, Items: c.items})
	broken := w.broken(w.at)
	ordered, fails := orderedOnceFixed, failsOnceFixed
	if broken {
		ordered, fails = orderedWhileBroken, failsWhileBroken
	}
	goesWell := chance(w.r, ordered)
	if !goesWell && !chance(w.r, fails) {
		return // has second thoughts
	}
	w.track("checkout_step_completed", &Properties{CartID: c.id, Step: 1})
	method := pick(w.r, []string{"card", "card", "paypal", "invoice"})
	w.track("payment_info_entered", &Properties{CartID: c.id, PaymentMethod: method})
	if !goesWell {
		w.failPayment(c, method, broken)
		return
	}
	w.order(c, method)
}

func (w *walk) order(c *cart, method string) {
	id := "o-" + c.id[len("cart-"):]
	w.page("/thank-you", "Thank you")
	w.track("order_completed", &Properties{
		OrderID: id, CartID: c.id, Items: c.items, PaymentMethod: method, Coupon: c.coupon, Revenue: c.total, Currency: "EUR",
	})
	w.afterwards(id, c.product, w.at)
}

// failPayment is what the customer sees of the failure: again and again.
func (w *walk) failPayment(c *cart, method string, broken bool) {
	reason := "card_declined"
	if broken {
		reason = "gateway_timeout"
	}
	for range 1 + w.r.IntN(3) {
		w.track("payment_failed", &Properties{CartID: c.id, PaymentMethod: method, Reason: reason})
	}
	if chance(w.r, 0.2) {
		w.track("rage_click", &Properties{CartID: c.id})
	}
	if !broken {
		return
	}
	w.gone = chance(w.r, leavesForGood)
	switch n := w.r.Float64(); {
	case n < callsSupport:
		w.later(w.at.Add(between(w.r, 3*time.Minute, 90*time.Minute)), w.asker("checkout"))
	case n < callsSupport+triesAgainLater:
		w.later(w.week.Fixed.Add(between(w.r, time.Hour, 30*time.Hour)), func(at time.Time) { w.comeBack(w.device, c, at) })
	}
}

// comeBack tries again with the same cart.
func (c *customer) comeBack(d *device, full *cart, at time.Time) {
	w := c.walk(at, d)
	w.page("/cart", "Your cart")
	w.track("cart_viewed", &Properties{CartID: full.id, Items: full.items})
	w.checkout(full)
}

// afterwards is what follows an order: it arrives, and some tell how they like it.
func (c *customer) afterwards(order string, p product, at time.Time) {
	first := !c.bought
	c.bought = true
	delivered := at.Add(between(c.r, 18*time.Hour, 54*time.Hour))
	e := c.event(delivered, channelEmail, "order_delivered", &Properties{OrderID: order})
	e.Actor = actorBusiness
	c.send(c.number, SourceNewsletter, e, between(c.r, time.Second, time.Minute))
	if chance(c.r, 0.12) {
		c.later(delivered.Add(between(c.r, time.Hour, 20*time.Hour)), c.asker(pick(c.r, c.catalog.topics)))
	}
	if first && chance(c.r, 0.3) {
		c.later(delivered.Add(between(c.r, 2*time.Hour, 30*time.Hour)), func(at time.Time) { c.judge(order, p, at) })
	}
}

// judge answers the question by email how it was.
func (c *customer) judge(order string, p product, at time.Time) {
	if chance(c.r, 0.5) {
		nps := pick(c.r, []int{2, 6, 7, 8, 9, 9, 10, 10})
		e := c.event(at, channelEmail, "survey_answered", &Properties{OrderID: order, NPS: &nps})
		c.send(c.number, SourceNewsletter, e, between(c.r, time.Second, time.Minute))
		return
	}
	w := c.walk(at, c.devices[0])
	if !w.device.loggedIn {
		w.logIn()
	}
	w.page("/p/"+p.id, p.name)
	w.track("review_submitted", &Properties{ProductID: p.id, Rating: pick(c.r, []int{2, 3, 4, 4, 5, 5, 5})})
	if chance(c.r, 0.2) {
		w.track("referral_sent", &Properties{ProductID: p.id})
	}
}

func (c *customer) asker(topic string) func(time.Time) {
	return func(at time.Time) { c.ask(at, topic) }
}

// ask opens a ticket; support answers, at busy times late.
func (c *customer) ask(at time.Time, topic string) {
	if !at.After(c.helped) {
		return // is waiting for an answer already
	}
	ticket := fmt.Sprintf("t-%06d-%d", c.number, c.r.IntN(900)+100)
	p := func() *Properties { return &Properties{TicketID: ticket, Topic: topic} }
	support := func(at time.Time, name, actor string) {
		e := c.event(at, channelSupport, name, p())
		e.Actor = actor
		c.send(c.number, SourceHelpdesk, e, between(c.r, time.Second, 10*time.Minute)) // exported every ten minutes
	}
	support(at, "ticket_opened", "")
	replied := at.Add(between(c.r, 10*time.Minute, 7*time.Hour))
	support(replied, "ticket_replied", actorBusiness)
	c.helped = replied
	if chance(c.r, 0.6) {
		c.helped = replied.Add(between(c.r, 5*time.Minute, 4*time.Hour))
		support(c.helped, "support_resolved", "")
	}
}
