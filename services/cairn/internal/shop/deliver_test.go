package shop_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/services/cairn/internal/shop"
)

// collector stands in for the real one. It keeps the ids of what it has taken.
type collector struct {
	mu      sync.Mutex
	refuse  map[int]int // of the nth request, from 1: the status
	request int
	got     map[string][]string // anonymousId/userId, source -> messageIds in the order of arrival
	largest int
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.request++
	if status := c.refuse[c.request]; status != 0 {
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, `{"success":false,"error":{"code":"busy","message":"Not now."}}`)
		return
	}
	source, _, _ := r.BasicAuth()
	var body struct {
		Batch []struct{ MessageID, AnonymousID, UserID string }
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.URL.Path != "/v1/batch" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.largest = max(c.largest, len(body.Batch))
	rejected := 0
	for _, e := range body.Batch {
		who := e.AnonymousID
		if who == "" {
			who = e.UserID
		}
		if who == "" || who == "undefined" || who == "null" {
			rejected++
		}
		c.got[who+" "+source] = append(c.got[who+" "+source], e.MessageID)
	}
	_, _ = fmt.Fprintf(w, `{"success":true,"rejected":%d}`, rejected)
}

func deliver(t *testing.T, w *shop.Week, refuse map[int]int) (*collector, shop.Receipt, error) {
	t.Helper()
	c := &collector{refuse: refuse, got: map[string][]string{}}
	server := httptest.NewServer(c)
	defer server.Close()
	keys := map[string]string{}
	for _, s := range shop.Sources() {
		keys[s] = s // so that the collector sees which one was used
	}
	progress := 0
	receipt, err := w.Deliver(t.Context(), shop.Door{URL: server.URL, WriteKeys: keys, Progress: func(n int) {
		require.Greater(t, n, progress)
		progress = n
	}})
	require.Equal(t, receipt.Acknowledged, progress)
	return c, receipt, err
}

func TestEachPersonsEventsArriveInOrderAndOnce(t *testing.T) {
	w := week(t, 7, 200)
	c, receipt, err := deliver(t, w, map[int]int{2: http.StatusServiceUnavailable, 5: http.StatusTooManyRequests})
	require.NoError(t, err)
	want := map[string][]string{}
	nobody := 0
	for i := range w.Sends {
		e := &w.Sends[i].Event
		who := e.AnonymousID
		if who == "" {
			who = e.UserID
		}
		if who == "" || who == "undefined" || who == "null" {
			nobody++
		}
		key := who + " " + w.Sends[i].Source
		want[key] = append(want[key], e.MessageID)
	}
	require.Equal(t, want, c.got)
	require.LessOrEqual(t, c.largest, 100)
	require.Equal(t, shop.Receipt{
		Sent: len(w.Sends), Acknowledged: len(w.Sends), Rejected: nobody, Requests: c.request, Retries: 2,
	}, receipt)
}

func TestAnAnswerThatCannotChangeEndsTheDelivery(t *testing.T) {
	_, receipt, err := deliver(t, week(t, 7, 200), map[int]int{3: http.StatusUnauthorized})
	require.ErrorContains(t, err, "the collector answers 401 Unauthorized: Not now.")
	require.Less(t, receipt.Acknowledged, receipt.Sent)
}

func TestEverySourceNeedsAKey(t *testing.T) {
	_, err := week(t, 7, 20).Deliver(t.Context(), shop.Door{URL: "http://127.0.0.1:1", WriteKeys: map[string]string{shop.SourceWeb: "k"}})
	require.ErrorContains(t, err, "no write key for source newsletter")
}

func TestTheDeliveryStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	keys := map[string]string{}
	for _, s := range shop.Sources() {
		keys[s] = s
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		cancel()
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer server.Close()
	_, err := week(t, 7, 20).Deliver(ctx, shop.Door{URL: server.URL, WriteKeys: keys})
	require.ErrorIs(t, err, context.Canceled)
}
