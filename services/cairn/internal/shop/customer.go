package shop

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"
)

// persona is a kind of customer, as shares of 1.
type persona struct {
	share     float64 // of all customers
	known     float64 // has an account when the week begins
	loggedIn  float64 // of those with one: the browser knows it from the first page on
	visits    [2]int  // to the site, from and to
	adds      float64 // puts something into the cart on a visit
	checksOut float64 // having a full cart, starts the checkout
	reads     float64 // has the newsletter: opens a mailing
	stores    float64 // goes to a store in the week
	loyalty   float64 // of those with an account: has a loyalty card
	coupons   int     // used before, at least
	compares  bool
}

// personas lists who comes. The window shopper never says a name.
func personas() []persona {
	return []persona{
		{share: 0.20, known: 1, loggedIn: 0.8, visits: [2]int{1, 3}, adds: 0.42, checksOut: 0.82, reads: 0.35, stores: 0.05, loyalty: 0.5},
		{share: 0.20, known: 0.35, loggedIn: 0.3, visits: [2]int{2, 4}, adds: 0.28, checksOut: 0.78, reads: 0.15, stores: 0.03, loyalty: 0.2, compares: true},
		{share: 0.15, known: 0.9, loggedIn: 0.6, visits: [2]int{1, 2}, adds: 0.42, checksOut: 0.80, reads: 0.6, coupons: 3, loyalty: 0.3},
		{share: 0.10, known: 0.8, loggedIn: 0.3, visits: [2]int{1, 2}, adds: 0.12, checksOut: 0.7, reads: 0.2, stores: 0.6, loyalty: 0.9},
		{share: 0.35, visits: [2]int{1, 2}, adds: 0.05},
	}
}

// customer is a person with a memory.
type customer struct {
	*generator
	persona

	number  int
	r       *rand.Rand
	userID  string // "": has no account and never wants one
	hasUser bool   // the account exists already
	card    string // loyalty card; "": none
	traits  Traits
	devices []*device
	locale  string
	bought  bool
	gone    bool      // has had enough of this shop
	helped  time.Time // the last talk with support ended
	plans   []plan
}

// device is a browser.
type device struct {
	anonymousID, userAgent, ip string
	loggedIn                   bool
}

func (g *generator) customer(number int) *customer {
	c := &customer{generator: g, number: number, r: g.random(number)}
	kinds := personas()
	n := c.r.Float64()
	for i, p := range kinds {
		if n -= p.share; n < 0 || i == len(kinds)-1 {
			c.persona = p
			break
		}
	}
	c.locale = pick(c.r, []string{"de-AT", "de-DE", "de-CH", "en-GB"})
	for range 1 + c.r.IntN(2) {
		c.devices = append(c.devices, g.device(c.r, pick(c.r, g.catalog.browsers)))
	}
	if c.checksOut > 0 {
		c.account()
	}
	return c
}

func (g *generator) device(r *rand.Rand, userAgent string) *device {
	nets := []string{"192.0.2.", "198.51.100.", "203.0.113."} // set aside for documentation
	return &device{anonymousID: uuid(r), userAgent: userAgent, ip: pick(r, nets) + strconv.Itoa(1+r.IntN(254))}
}

// account gives the customer a name, which the shop may not know yet.
func (c *customer) account() {
	c.userID = fmt.Sprintf("c%06d", 100_000+c.number)
	c.hasUser = chance(c.r, c.known)
	first := pick(c.r, c.catalog.names)
	c.traits = Traits{FirstName: first, Email: fmt.Sprintf("%s.%d@mail.example", first, c.number), City: pick(c.r, c.catalog.cities)}
	if c.coupons > 0 {
		c.traits.CouponsUsed = c.coupons + c.r.IntN(4)
	}
	if c.hasUser && chance(c.r, c.loyalty) {
		c.card = fmt.Sprintf("4006%06d", c.number)
		c.traits.Loyalty = pick(c.r, []string{"silver", "silver", "gold"})
	}
	if c.hasUser && chance(c.r, c.loggedIn) {
		c.devices[0].loggedIn = true
	}
}

// live goes through the customer's week in order of time. What the customer does
// may lead to further plans.
func (c *customer) live() {
	for range c.visits[0] + c.r.IntN(c.visits[1]-c.visits[0]+1) {
		c.later(c.moment(c.r, c.r.IntN(7)), c.visit)
	}
	for _, n := range newsletters() {
		if c.hasUser && c.reads > 0 {
			c.later(c.sent(n), func(at time.Time) { c.mailing(&n, at) })
		}
	}
	if c.hasUser && chance(c.r, c.stores) {
		c.later(c.opening(c.r, c.r.IntN(7)), c.shop)
	}
	for len(c.plans) > 0 {
		next := 0
		for i := range c.plans {
			if c.plans[i].at.Before(c.plans[next].at) {
				next = i
			}
		}
		p := c.plans[next]
		c.plans = slices.Delete(c.plans, next, next+1)
		p.do(p.at)
	}
}

// plan is what a customer is going to do, and when.
type plan struct {
	at time.Time
	do func(at time.Time)
}

func (c *customer) later(at time.Time, do func(at time.Time)) {
	c.plans = append(c.plans, plan{at, do})
}

// sent is when a mailing reaches this customer: they go out over half an hour.
func (c *customer) sent(n newsletter) time.Time {
	return c.week.Start.AddDate(0, 0, n.day).Add(time.Duration(n.hour) * time.Hour).Add(between(c.r, 0, 30*time.Minute))
}

// event is one of a system that knows the customer by name.
func (c *customer) event(at time.Time, channel, name string, p *Properties) *Event {
	return &Event{
		MessageID: uuid(c.r), Type: "track", Event: name, UserID: c.userID,
		Timestamp: Time{at.Truncate(time.Millisecond)}, Channel: channel, Properties: p,
	}
}
