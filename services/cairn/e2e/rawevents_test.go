//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/journey"
)

// rawStream is what applications write straight to Kafka, and what is to become
// of it.
type rawStream struct {
	messages    []kafka.Message // in the order they are written
	touchpoints []journey.Touchpoint
	hits        []hit // customers' touchpoints; visitor = identifier
	late        uint64
	duplicates  uint64
	linked      map[string]int // profile -> touchpoints, of visitors who say once who they are
}

// rawStreamOf makes the events of so many visitors: copies, events without an
// id, from beyond the horizon, of the business, with a key that is not the
// identifier, and in no order of time.
func rawStreamOf(t *testing.T, seed uint64, visitors int) *rawStream {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 2))
	s := &rawStream{linked: map[string]int{}}
	began := time.Now().UTC().Truncate(time.Second).Add(-12 * 24 * time.Hour)
	for v := range visitors {
		s.visitor(t, rng, v, began.Add(time.Duration(rng.IntN(4*86400))*time.Second))
	}
	rng.Shuffle(len(s.messages), func(i, j int) { s.messages[i], s.messages[j] = s.messages[j], s.messages[i] })
	return s
}

// visitor adds the events of one visitor: anonymous, a user, or both.
func (s *rawStream) visitor(t *testing.T, rng *rand.Rand, v int, at time.Time) {
	t.Helper()
	anonymous, user := fmt.Sprintf("v%d", v), ""
	identifier, key := "anonymous:"+anonymous, anonymous
	switch v % 5 {
	case 3:
		anonymous, user = "", fmt.Sprintf("u%d", v)
		identifier, key = "user:"+user, user
	case 4:
		user = fmt.Sprintf("u%d", v)
	}
	linked := v%5 == 4
	knownFrom := rng.IntN(10)
	n := 10 + rng.IntN(20)
	for i := range n {
		e := map[string]any{"type": "track", "channel": "web", "timestamp": at.Format(time.RFC3339), "event": eventNames()[rng.IntN(len(eventNames()))]}
		tp := journey.Touchpoint{
			MessageID: fmt.Sprintf("m%d-%d", v, i), Identifier: identifier, Type: "track", Event: e["event"].(string), Channel: "web",
			Actor: journey.ActorCustomer, Time: at.UnixMilli(), Received: time.Now().UnixMilli(),
		}
		if anonymous != "" {
			e["anonymousId"] = anonymous
		}
		if user != "" && (!linked || i == n-1 || i > knownFrom) {
			e["userId"] = user
			tp.UserID = user
		}
		business := rng.IntN(25) == 0
		if business {
			e["actor"], tp.Actor = "business", journey.ActorBusiness
		}
		late := rng.IntN(80) == 0 && i < n-1
		if late {
			e["timestamp"] = at.Add(-50 * 24 * time.Hour).Format(time.RFC3339)
			s.late++
		}
		// Who has no id gets one from the record's place, which nobody knows here:
		// only for events that signal no stage, so that their order says nothing.
		if late || tp.Event != silentEvent || rng.IntN(2) == 0 {
			e["messageId"] = tp.MessageID
		}
		s.write(t, rng, key, e, e["messageId"] != nil)
		at = at.Add(pauseShort(rng))
		if late {
			continue
		}
		s.touchpoints = append(s.touchpoints, tp)
		if !business {
			s.hits = append(s.hits, hit{identifier, identifier, time.UnixMilli(tp.Time).UTC()})
		}
		if linked {
			s.linked["user:"+user]++
		}
	}
}

// write adds the message, and now and then a copy; some with a key of the
// application's own.
func (s *rawStream) write(t *testing.T, rng *rand.Rand, key string, event map[string]any, hasID bool) {
	t.Helper()
	value, err := json.Marshal(event)
	require.NoError(t, err)
	copies := 1
	if hasID && rng.IntN(20) == 0 {
		copies = 2
		s.duplicates++
	}
	for range copies {
		m := kafka.Message{Key: []byte(key), Value: value}
		switch rng.IntN(40) {
		case 0:
			m.Key = []byte("order-" + key)
		case 1:
			m.Key = nil
		}
		s.messages = append(s.messages, m)
	}
}

const silentEvent = "other_thing"

func eventNames() []string {
	return []string{
		"ad_click", "product_viewed", "product_viewed", "comparison_viewed", "cart_viewed", "checkout_started", "order_completed",
		"review_submitted", "product_used", silentEvent,
	}
}

// pauseShort keeps a visitor's events within eight days.
func pauseShort(rng *rand.Rand) time.Duration {
	switch n := rng.IntN(100); {
	case n < 70:
		return time.Duration(rng.IntN(300)) * time.Second
	case n < 80:
		return sessionGap + time.Duration(rng.IntN(3)-1)*time.Second
	default:
		return time.Duration(1+rng.IntN(6)) * time.Hour
	}
}

// produce writes the messages with another client than cairn's, at most as many
// a second as rate.
func (s *rawStream) produce(ctx context.Context, brokers, topic string, rate int) error {
	w := &kafka.Writer{
		Addr: kafka.TCP(brokers), Topic: topic, Balancer: kafka.Murmur2Balancer{}, RequiredAcks: kafka.RequireAll,
		BatchSize: 500, BatchTimeout: 10 * time.Millisecond, MaxAttempts: 20,
	}
	const perWrite = 500
	tick := time.NewTicker(time.Second * perWrite / time.Duration(rate))
	defer tick.Stop()
	for i := 0; i < len(s.messages); i += perWrite {
		if err := w.WriteMessages(ctx, s.messages[i:min(i+perWrite, len(s.messages))]...); err != nil {
			_ = w.Close() // the first error tells more
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	return w.Close()
}
