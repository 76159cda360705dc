//go:build linux

package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// spec is a record before it is rendered. The same seed makes the same specs.
type spec struct {
	time, arrival int64 // Unix ms; the stream is in order of arrival
	device, user  uint32
	message       uint32 // a copy shares its original's
	event         uint8
	form          form
}

// form is what is odd about a record.
type form uint8

const (
	plain    form = iota
	business      // done by the business
	late          // arrives beyond the lateness horizon
	broken        // is no JSON
	misKeyed      // its key is not its identifier
)

// Shares of records, of a thousand each.
const (
	businessShare, lateShare, brokenShare, misKeyedShare = 30, 2, 1, 10
	disorderShare, copyShare                             = 50, 10
)

const (
	perDevice   = 20 // records, in the mean
	spanMillis  = 4 * 24 * 3600 * 1000
	startMillis = 1_767_571_200_000 // 2026-01-05
)

// ownWorkload is a shop's visitors: most stay unknown, some log in, some share a
// device, some users have two. Records arrive out of order, twice, too late, with
// wrong keys, and broken.
func ownWorkload(seed uint64, events int) *workload {
	return &workload{name: "own generator", sessions: func() int { return 0 }, records: func(yield func(record, error) bool) {
		for _, s := range plan(seed, events) {
			if !yield(s.render(), nil) {
				return
			}
		}
	}}
}

// plan makes all specs, in order of arrival.
func plan(seed uint64, events int) []spec {
	rng := rand.New(rand.NewPCG(seed, 0x6361697263686173))
	unique := events - events*copyShare/1000
	specs := make([]spec, 0, events)
	for device := uint32(0); len(specs) < unique; device++ {
		specs = visits(rng, specs, device, min(unique-len(specs), 1+int(rng.ExpFloat64()*(perDevice-1))))
	}
	for i := range specs {
		s := &specs[i]
		s.arrival = s.time + 200
		switch n := rng.IntN(1000); {
		case n < lateShare:
			s.form, s.time = late, s.time-40*24*3600*1000
		case n < lateShare+brokenShare:
			s.form = broken
		case n < lateShare+brokenShare+misKeyedShare:
			s.form = misKeyed
		case n < lateShare+brokenShare+misKeyedShare+businessShare:
			s.form = business
		}
		if rng.IntN(1000) < disorderShare {
			s.arrival += rng.Int64N(3 * 3600 * 1000)
		}
	}
	for len(specs) < events {
		s := specs[rng.IntN(unique)]
		s.arrival += 1000 + rng.Int64N([]int64{10 * 60_000, spanMillis / 2}[rng.IntN(2)])
		specs = append(specs, s)
	}
	slices.SortStableFunc(specs, func(a, b spec) int { return cmp.Compare(a.arrival, b.arrival) })
	return specs
}

// visits adds n records of a device.
func visits(rng *rand.Rand, specs []spec, device uint32, n int) []spec {
	at := int64(startMillis) + rng.Int64N(spanMillis)
	for i := range n {
		s := spec{time: at, device: device, message: uint32(len(specs)), event: uint8(rng.IntN(len(eventNames())))}
		s.user = userOf(device, i, n)
		if device%20 < 18 && rng.IntN(3) == 0 {
			s.user = 0 // not every record says it again
		}
		specs = append(specs, s)
		switch p := rng.IntN(100); {
		case p < 70:
			at += 1000 + rng.Int64N(300_000)
		case p < 80: // a millisecond less than the gap, the gap, one more
			at += 30*60_000 + rng.Int64N(3) - 1
		default:
			at += 3600_000 + rng.Int64N(6*3600_000)
		}
	}
	return specs
}

// userOf is the user at record i of n of a device, 0 for nobody.
func userOf(device uint32, i, n int) uint32 {
	first := device - device%20 + 1
	switch kind := device % 20; {
	case kind < 10: // never known
		return 0
	case kind < 15: // says so in the middle
		if i >= n/2 {
			return first + kind
		}
		return 0
	case kind < 17: // one user with two devices, known from a third on
		if i >= n/3 {
			return first + 15
		}
		return 0
	case kind == 17: // two users, in turn; the second is that of the next device, too
		return []uint32{0, first + 17, first + 18, first + 17}[i*4/n]
	case kind == 18: // seen on a server, with no device
		return first + 18
	default: // always known
		return first + 18
	}
}

func eventNames() []string {
	return []string{
		"ad_click", "product_viewed", "product_viewed", "comparison_viewed", "cart_viewed", "checkout_started", "order_completed",
		"review_submitted", "product_used", "other_thing",
	}
}

// render writes the record in the Segment spec.
func (s *spec) render() record {
	event := eventNames()[s.event]
	anonymous, user := fmt.Sprintf("device-%07d", s.device), ""
	if s.user != 0 {
		user = fmt.Sprintf("user-%07d", s.user)
	}
	if s.device%20 == 18 {
		anonymous = ""
	}
	actor := "customer"
	if s.form == business {
		actor = "business"
	}
	stamp := func(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z07:00") }
	b := fmt.Appendf(nil, `{"messageId":"m-%08d","type":"track","event":%q,"actor":%q,"timestamp":%q,"receivedAt":%q,"channel":"web"`,
		s.message, event, actor, stamp(s.time), stamp(s.arrival))
	if anonymous != "" {
		b = fmt.Appendf(b, `,"anonymousId":%q`, anonymous)
	}
	if user != "" {
		b = fmt.Appendf(b, `,"userId":%q`, user)
	}
	b = fmt.Appendf(b, `,"context":{"page":{"url":"https://shop.example/%s/%d","referrer":"https://search.example/?q=shoes"},"campaign":{"source":"newsletter"},`+
		`"userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"},`+
		`"properties":{"product":"sku-%d","revenue":%d.50}}`, event, s.message%2000, s.message%5000, s.message%300)
	key := cmp.Or(anonymous, user)
	switch s.form {
	case broken:
		b = b[:len(b)/2]
	case misKeyed:
		key = "order-" + key
	default: // plan has changed the times
	}
	return record{[]byte(key), b}
}
