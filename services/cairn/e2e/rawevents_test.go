//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
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
}

// rawStreamOf makes the events of so many visitors: copies, events without an
// id, from beyond the horizon, of the business, with a key that is not the
// identifier, and in no order of time.
func rawStreamOf(t *testing.T, seed uint64, visitors int) *rawStream {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 2))
	s := &rawStream{}
	began := time.Now().UTC().Truncate(time.Second).Add(-12 * 24 * time.Hour)
	for v := range visitors {
		s.visitor(t, rng, v, began.Add(time.Duration(rng.IntN(4*86400))*time.Second))
	}
	rng.Shuffle(len(s.messages), func(i, j int) { s.messages[i], s.messages[j] = s.messages[j], s.messages[i] })
	return s
}

// visitor adds the events of one visitor: one who is never known, one who always
// is, one who says so in the middle, or a device that two users share.
func (s *rawStream) visitor(t *testing.T, rng *rand.Rand, v int, at time.Time) {
	t.Helper()
	anonymous, users := fmt.Sprintf("v%d", v), []string{""}
	switch v % 5 {
	case 2:
		anonymous, users = "", []string{fmt.Sprintf("u%d", v)}
	case 3:
		users = []string{"", fmt.Sprintf("u%d", v)}
	case 4:
		users = []string{"", fmt.Sprintf("u%d", v), fmt.Sprintf("u%d", rng.IntN(v))} // the last may be known elsewhere
	}
	n := 10 + rng.IntN(20)
	for i := range n {
		user := users[i*len(users)/n]
		if len(users) > 1 && rng.IntN(3) == 0 {
			user = "" // not every event says it again
		}
		s.event(t, rng, v*100+i, anonymous, user, at)
		at = at.Add(pauseShort(rng))
	}
}

// event adds one event and what is to become of it.
func (s *rawStream) event(t *testing.T, rng *rand.Rand, number int, anonymous, user string, at time.Time) {
	t.Helper()
	key, identifier := anonymous, "anonymous:"+anonymous
	if anonymous == "" {
		key, identifier = user, "user:"+user
	}
	tp := journey.Touchpoint{
		MessageID: fmt.Sprintf("m%d", number), Identifier: identifier, UserID: user, Type: "track", Channel: "web",
		Event: eventNames()[rng.IntN(len(eventNames()))], Actor: journey.ActorCustomer, Received: time.Now().UnixMilli(),
	}
	hasID := tp.Event != silentEvent || rng.IntN(2) == 0
	if !hasID {
		// The id will be made from the record's place, which nobody knows here: so
		// the event signals no stage, and no other happens at the same moment.
		at = at.Add(time.Duration(1+number%100) * time.Millisecond)
	}
	if rng.IntN(25) == 0 {
		tp.Actor = journey.ActorBusiness
	}
	late := hasID && rng.IntN(80) == 0
	if late {
		at = at.Add(-50 * 24 * time.Hour)
	}
	tp.Time = at.UnixMilli()
	s.write(t, rng, key, anonymous, hasID, &tp)
	switch {
	case late:
		s.late++
		return
	case tp.Actor == journey.ActorCustomer:
		s.hits = append(s.hits, hit{identifier, identifier, at.UTC()})
	}
	s.touchpoints = append(s.touchpoints, tp)
}

// write adds the message, and now and then a copy; some with a key of the
// application's own.
func (s *rawStream) write(t *testing.T, rng *rand.Rand, key, anonymous string, hasID bool, tp *journey.Touchpoint) {
	t.Helper()
	event := map[string]string{
		"type": tp.Type, "event": tp.Event, "channel": tp.Channel, "actor": tp.Actor,
		"timestamp": time.UnixMilli(tp.Time).UTC().Format(time.RFC3339Nano),
	}
	for name, v := range map[string]string{"anonymousId": anonymous, "userId": tp.UserID, "messageId": tp.MessageID} {
		if v != "" && (hasID || name != "messageId") {
			event[name] = v
		}
	}
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

// produce writes messages with another client than cairn's.
func produce(ctx context.Context, brokers, topic string, messages []kafka.Message) error {
	w := &kafka.Writer{
		Addr: kafka.TCP(brokers), Topic: topic, Balancer: kafka.Murmur2Balancer{}, RequiredAcks: kafka.RequireAll,
		BatchSize: 500, BatchTimeout: 10 * time.Millisecond, MaxAttempts: 20,
	}
	for part := range slices.Chunk(messages, 1000) {
		if err := w.WriteMessages(ctx, part...); err != nil {
			_ = w.Close() // the first error tells more
			return err
		}
	}
	return w.Close()
}
