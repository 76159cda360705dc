package shop

import (
	"fmt"
	"time"
)

// walk is a customer's way through the site on one visit.
type walk struct {
	*customer
	device   *device
	at       time.Time
	campaign *Campaign // that led here
	path     string
	title    string
	referrer string
	offline  time.Duration // how long the device holds its events back; 0: it does not
}

func (c *customer) walk(at time.Time, d *device) *walk {
	w := &walk{customer: c, device: d, at: at}
	if chance(c.r, 0.03) { // in a tunnel: sent when back online, after what came later
		w.offline = between(c.r, 2*time.Minute, 40*time.Minute)
	}
	return w
}

// visit is one that the customer planned.
func (c *customer) visit(at time.Time) {
	if c.gone {
		return
	}
	w := c.walk(at, pick(c.r, c.devices))
	if chance(c.r, 0.3) {
		campaign := pick(c.r, c.catalog.campaigns)
		w.campaign = &campaign
	} else {
		w.referrer = pick(c.r, c.catalog.organic)
	}
	w.browse()
}

// browse looks around and goes as far as the customer is in the mood for.
func (w *walk) browse() {
	if chance(w.r, 0.7) {
		w.page("/", "Gipfelglück: gear for the mountains")
	}
	seen := pick(w.r, w.catalog.products)
	w.page("/c/"+seen.category, seen.category)
	if chance(w.r, 0.25) {
		w.track("products_searched", &Properties{Query: pick(w.r, w.catalog.queries)})
	}
	w.track("product_list_viewed", &Properties{Category: seen.category})
	if chance(w.r, 0.22) {
		return // a glance
	}
	for range 1 + w.r.IntN(3) {
		seen = pick(w.r, w.catalog.products)
		w.look(seen)
	}
	if w.compares && chance(w.r, 0.6) {
		w.track("comparison_viewed", &Properties{Category: seen.category, Items: 2 + w.r.IntN(3)})
		w.track("reviews_read", &Properties{ProductID: seen.id})
	}
	if w.devicesOwner() && chance(w.r, 0.15) {
		w.logIn()
	}
	if chance(w.r, w.adds) {
		w.buy(seen)
	}
}

// devicesOwner tells whether the customer has an account that the device does
// not know yet.
func (w *walk) devicesOwner() bool { return w.hasUser && !w.device.loggedIn }

func (w *walk) look(p product) {
	w.page("/p/"+p.id, p.name)
	w.track("product_viewed", &Properties{ProductID: p.id, Name: p.name, Category: p.category, Price: p.price, Currency: "EUR"})
	switch n := w.r.Float64(); {
	case n < 0.08:
		w.track("size_guide_viewed", &Properties{ProductID: p.id})
	case n < 0.14:
		w.track("stock_checked", &Properties{ProductID: p.id, Store: pick(w.r, w.catalog.stores)})
	case n < 0.18:
		w.track("product_added_to_wishlist", &Properties{ProductID: p.id})
	}
}

// buy fills the cart and may start the checkout.
func (w *walk) buy(p product) {
	quantity := 1 + w.r.IntN(2)
	cart := cart{id: fmt.Sprintf("cart-%06d-%d", w.number, w.r.IntN(900)+100), items: quantity, total: p.price * Cents(quantity), product: p}
	w.track("product_added", &Properties{ProductID: p.id, CartID: cart.id, Price: p.price, Quantity: quantity, Currency: "EUR"})
	w.page("/cart", "Your cart")
	w.track("cart_viewed", &Properties{CartID: cart.id, Items: cart.items})
	if w.coupons > 0 && chance(w.r, 0.6) {
		cart.coupon = "FROST10"
		cart.total -= cart.total / 10
		w.track("coupon_applied", &Properties{CartID: cart.id, Coupon: cart.coupon})
	}
	if chance(w.r, w.checksOut) {
		w.checkout(&cart)
	}
}

type cart struct {
	id      string
	items   int
	total   Cents
	coupon  string
	product product
}

// logIn tells the device who is using it. From here on its events say so.
func (w *walk) logIn() {
	w.hasUser, w.device.loggedIn = true, true
	traits := w.traits
	w.emit(&Event{Type: "identify", Traits: &traits})
}

// page opens a page.
func (w *walk) page(path, title string) {
	if w.path != "" {
		w.referrer = site + w.path
	}
	w.path, w.title = path, title
	w.emit(&Event{Type: "page", Name: title})
	w.at = w.at.Add(between(w.r, time.Second, 5*time.Second))
}

// track does something on the page.
func (w *walk) track(name string, p *Properties) {
	w.emit(&Event{Type: "track", Event: name, Properties: p})
	w.at = w.at.Add(between(w.r, 4*time.Second, 75*time.Second))
}

// emit sends an event of the browser's SDK.
func (w *walk) emit(e *Event) {
	e.MessageID, e.AnonymousID, e.Timestamp, e.Channel = "ajs-"+uuid(w.r), w.device.anonymousID, Time{w.at.Truncate(time.Millisecond)}, channelWeb
	if w.device.loggedIn {
		e.UserID = w.userID
	}
	url := site + w.path
	if c := w.campaign; c != nil && w.referrer == "" {
		url += "?utm_source=" + c.Source + "&utm_medium=" + c.Medium + "&utm_campaign=" + c.Name
	}
	e.Context = &Context{
		Page:     &Page{URL: url, Path: w.path, Title: w.title, Referrer: w.referrer},
		Campaign: w.campaign, UserAgent: w.device.userAgent, IP: w.device.ip, Locale: w.locale,
		Library: &Library{Name: "analytics.js", Version: "2.1.0"},
	}
	w.send(w.number, SourceWeb, e, w.offline+between(w.r, 50*time.Millisecond, 3*time.Second))
}
