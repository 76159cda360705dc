package shop_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/services/cairn/internal/shop"
)

func week(t *testing.T, seed uint64, customers int) *shop.Week {
	t.Helper()
	w, err := shop.Generate(shop.Options{Seed: seed, Customers: customers, End: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)})
	require.NoError(t, err)
	return w
}

func digest(t *testing.T, w *shop.Week) string {
	t.Helper()
	h := sha256.New()
	for i := range w.Sends {
		s := &w.Sends[i]
		event, err := s.Event.JSON()
		require.NoError(t, err)
		_, err = fmt.Fprintf(h, "%d %s %d %s\n", s.At.UnixMilli(), s.Source, s.Person, event)
		require.NoError(t, err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func TestASeedIsAWeek(t *testing.T) {
	seven := digest(t, week(t, 7, 300))
	require.Equal(t, seven, digest(t, week(t, 7, 300)))
	require.NotEqual(t, seven, digest(t, week(t, 8, 300)))
}

func TestMoreCustomersDoNotChangeTheOthers(t *testing.T) {
	events := func(w *shop.Week) map[string]string {
		byID := map[string]string{}
		for i := range w.Sends {
			event, err := w.Sends[i].Event.JSON()
			require.NoError(t, err)
			byID[w.Sends[i].Event.MessageID] = string(event)
		}
		return byID
	}
	large := events(week(t, 7, 400))
	few := week(t, 7, 100)
	for i := range few.Sends {
		if s := &few.Sends[i]; s.Person < 100 && !s.Event.Timestamp.Before(few.Start) {
			event, err := s.Event.JSON()
			require.NoError(t, err)
			require.Equal(t, string(event), large[s.Event.MessageID])
		}
	}
}

func TestCustomersAreBounded(t *testing.T) {
	for _, n := range []int{shop.MinCustomers - 1, shop.MaxCustomers + 1} {
		_, err := shop.Generate(shop.Options{Customers: n, End: time.Now()})
		require.ErrorContains(t, err, "want 20 to 20000")
	}
}

// checkouts counts, by visit, those that were started and those that ended with an order.
func checkouts(w *shop.Week) (started, ordered [2]int) {
	type visit struct {
		half    int
		ordered bool
	}
	carts := map[string]*visit{}
	seen := map[string]bool{}
	for i := range w.Sends {
		e := &w.Sends[i].Event
		if seen[e.MessageID] || e.Properties == nil {
			continue
		}
		seen[e.MessageID] = true
		half := 0
		if !e.Timestamp.Before(w.Fixed) {
			half = 1
		}
		key := fmt.Sprint(e.Properties.CartID, "/", half)
		switch e.Event {
		case "checkout_started":
			if carts[key] == nil {
				carts[key] = &visit{half: half}
			}
		case "order_completed":
			if v := carts[key]; v != nil {
				v.ordered = true
			}
		}
	}
	for _, v := range carts {
		started[v.half]++
		if v.ordered {
			ordered[v.half]++
		}
	}
	return started, ordered
}

func TestTheCheckoutFailsForHalfTheWeek(t *testing.T) {
	var started, ordered [2]int
	for seed := range uint64(8) {
		s, o := checkouts(week(t, seed, shop.DefaultCustomers))
		for half := range s {
			started[half] += s[half]
			ordered[half] += o[half]
		}
		// One week alone must tell the story already.
		require.Less(t, float64(o[0])/float64(s[0]), 0.32, "seed %d", seed)
		require.Greater(t, float64(o[1])/float64(s[1]), 0.55, "seed %d", seed)
	}
	require.InDelta(t, 0.21, float64(ordered[0])/float64(started[0]), 0.03)
	require.InDelta(t, 0.66, float64(ordered[1])/float64(started[1]), 0.03)
}

func TestTheWeekHasEverything(t *testing.T) {
	w := week(t, 5, shop.DefaultCustomers)
	require.Greater(t, len(w.Sends), 25_000)
	require.Less(t, len(w.Sends), 40_000)
	counts := map[string]int{}
	latest := map[string]time.Time{}
	ids := map[string]int{}
	for i := range w.Sends {
		s := &w.Sends[i]
		e := &s.Event
		if i > 0 {
			require.False(t, s.At.Before(w.Sends[i-1].At), "sends are in order")
		}
		require.False(t, s.At.Before(w.Start), "sent before the week")
		require.False(t, s.At.After(w.End), "sent after the week")
		require.Contains(t, shop.Sources(), s.Source)
		event, err := e.JSON()
		require.NoError(t, err)
		require.True(t, json.Valid(event))
		require.Less(t, len(event), 2<<10)
		counts["channel "+e.Channel]++
		counts["actor "+e.Actor]++
		counts[e.Event]++
		ids[e.MessageID]++
		switch {
		case e.AnonymousID != "" && e.UserID != "":
			counts["identified"]++
		case e.AnonymousID != "":
			counts["anonymous"]++
		}
		if len(e.ExternalIDs) > 0 {
			require.NotEmpty(t, e.UserID)
			counts["loyalty card"]++
		}
		if e.Type == "identify" {
			counts["identify"]++
		}
		if e.Context != nil && strings.Contains(strings.ToLower(e.Context.UserAgent), "bot") {
			counts["robot"]++
		}
		if e.Timestamp.Before(w.Start) {
			require.Greater(t, w.Start.Sub(e.Timestamp.Time), 31*24*time.Hour)
			counts["forgotten"]++
			continue
		}
		who := e.AnonymousID + e.UserID
		if e.Timestamp.Before(latest[who]) {
			counts["out of order"]++
		}
		latest[who] = e.Timestamp.Time
	}
	for _, n := range ids {
		if n > 1 {
			counts["sent again"] += n - 1
		}
	}
	for _, what := range []string{
		"channel web", "channel email", "channel store", "channel support", "actor ", "actor business", "actor autoresponder",
		"identified", "anonymous", "loyalty card", "identify", "robot", "forgotten", "out of order", "sent again",
		"payment_failed", "order_completed", "store_purchase_completed", "email_clicked", "ticket_opened", "ticket_replied",
		"support_resolved", "comparison_viewed", "order_delivered", "review_submitted", "survey_answered", "referral_sent",
	} {
		require.Positive(t, counts[what], what)
	}
	for i := range w.Sends {
		if e := &w.Sends[i].Event; e.Event == "payment_failed" && e.Properties.Reason == "gateway_timeout" {
			require.Less(t, e.Timestamp.Sub(w.Fixed), 15*time.Minute, "a checkout that began before the fix may end after it")
		}
	}
}

func TestAmountsAreExact(t *testing.T) {
	for cents, text := range map[shop.Cents]string{5: "0.05", 1290: "12.90", 34900: "349.00"} {
		got, err := json.Marshal(cents)
		require.NoError(t, err)
		require.Equal(t, text, string(got))
	}
}
