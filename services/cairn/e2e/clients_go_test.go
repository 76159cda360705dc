//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"
)

// storyBegan is some minutes ago, on a full second.
func storyBegan() time.Time { return time.Now().Add(-10 * time.Minute).Truncate(time.Second).UTC() }

// tells notes an event that the client says is delivered.
func (r *telling) tells(step, id string, at time.Time) {
	r.told = append(r.told, told{Step: step, ID: id, At: at.UnixMilli()})
}

// cloudEvents tells the story with the CloudEvents SDK for Go: in binary mode, in
// structured mode, and in a batch.
func cloudEvents(ctx context.Context, r *telling, _ *stage) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	target := r.host + "/cloudevents?writeKey=" + r.key
	c, err := cloudevents.NewClientHTTP(cloudevents.WithTarget(target))
	if err != nil {
		return err
	}
	ctx = cloudevents.ContextWithRetriesExponentialBackoff(ctx, 50*time.Millisecond, 10)
	began := storyBegan()
	event := func(step, kind string, after time.Duration, data any, extensions map[string]string) cloudevents.Event {
		e := cloudevents.NewEvent()
		e.SetID(r.prefix + step)
		e.SetSource("https://shop.example/till")
		e.SetType(kind)
		e.SetTime(began.Add(after))
		for name, value := range extensions {
			e.SetExtension(name, value)
		}
		if err := e.SetData(cloudevents.ApplicationJSON, data); err != nil {
			panic(err) // the test's own
		}
		return e
	}
	visitor, both := map[string]string{"anonymousid": r.prefix + "a"}, map[string]string{"anonymousid": r.prefix + "a", "userid": r.prefix + "u"}
	id := func(e cloudevents.Event) string { return e.Source() + "|" + e.ID() }

	product := event("product", "com.acme.product.viewed", 10*time.Second, map[string]any{"sku": "boots", "note": productNote}, visitor)
	if result := c.Send(ctx, product); !cloudevents.IsACK(result) {
		return fmt.Errorf("binary mode: %w", result)
	}
	r.tells("product", id(product), product.Time())
	identify := event("identify", "com.acme.account.signed_in", 20*time.Second, map[string]any{}, both)
	if result := c.Send(cloudevents.WithEncodingStructured(ctx), identify); !cloudevents.IsACK(result) {
		return fmt.Errorf("structured mode: %w", result)
	}
	r.tells("identify", id(identify), identify.Time())

	order := event("order", "com.acme.order.completed", 30*time.Second, map[string]any{"revenue": 49.9, "currency": "EUR", "note": orderNote}, both)
	req, err := cehttp.NewHTTPRequestFromEvents(ctx, target, []cloudevents.Event{order})
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("a batch: %w", err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("a batch: %s", resp.Status)
	}
	r.tells("order", id(order), order.Time())

	bad := event("bad", "com.acme.order.completed", 40*time.Second, map[string]any{}, map[string]string{"userid": "null"})
	if result := c.Send(ctx, bad); cloudevents.IsACK(result) {
		return errors.New("an event of nobody was taken")
	}
	r.tells("bad", bad.ID(), bad.Time())
	return nil
}

// rawStory is the story as an application writes it to Kafka.
func (r *telling) rawStory() (records [][]byte) {
	began := storyBegan()
	add := func(step string, after time.Duration, e map[string]any) {
		at := began.Add(after)
		e["messageId"], e["timestamp"], e["receivedAt"], e["source"] = r.prefix+step, at, time.Now().UTC(), r.name
		raw, err := json.Marshal(e)
		if err != nil {
			panic(err) // the test's own
		}
		records = append(records, raw)
		r.tells(step, r.prefix+step, at)
	}
	visitor, user := r.prefix+"a", r.prefix+"u"
	add("page", 0, map[string]any{"type": "page", "anonymousId": visitor, "context": map[string]any{
		"page": map[string]any{"url": "https://shop.example" + landing, "title": "Grüße 日本", "referrer": "https://www.google.com/"},
	}})
	add("product", 10*time.Second, map[string]any{"event": "Product Viewed", "anonymousId": visitor, "properties": map[string]any{"note": productNote}})
	add("identify", 20*time.Second, map[string]any{"type": "identify", "anonymousId": visitor, "userId": user, "traits": map[string]any{"note": traitsNote}})
	add("order", 30*time.Second, map[string]any{"event": "Order Completed", "anonymousId": visitor, "userId": user, "properties": map[string]any{
		"revenue": 49.9, "currency": "EUR", "note": orderNote,
	}})
	add("group", 40*time.Second, map[string]any{"type": "group", "userId": user, "groupId": "g-1"})
	add("alias", 50*time.Second, map[string]any{"type": "alias", "userId": user, "previousId": r.prefix + "old"})
	add("screen", 60*time.Second, map[string]any{"type": "screen", "anonymousId": visitor, "userId": user, "name": "Cart"})
	add("bad", 70*time.Second, map[string]any{"type": "nonsense", "anonymousId": visitor})
	return records
}

const rawTopic = namespace + ".touchpoints.raw"

// kafkaGo writes with segmentio's client: without keys, spread as it likes, and
// everything twice, as a producer does whose acks were lost.
func kafkaGo(ctx context.Context, r *telling, _ *stage) error {
	w := &kafka.Writer{Addr: kafka.TCP(r.machine.Kafka), Topic: rawTopic, RequiredAcks: kafka.RequireAll, BatchTimeout: 10 * time.Millisecond, MaxAttempts: 20}
	defer func() { _ = w.Close() }()
	var messages []kafka.Message
	for _, raw := range r.rawStory() {
		messages = append(messages, kafka.Message{Value: raw})
	}
	if err := w.WriteMessages(ctx, messages...); err != nil {
		return err
	}
	return w.WriteMessages(ctx, messages...)
}

// franzGo writes with twmb's client, keyed by the visitor, and everything twice.
func franzGo(ctx context.Context, r *telling, _ *stage) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.machine.Kafka), kgo.DefaultProduceTopic(rawTopic))
	if err != nil {
		return err
	}
	defer cl.Close()
	story := r.rawStory()
	for range 2 {
		var records []*kgo.Record
		for _, raw := range story {
			records = append(records, &kgo.Record{Key: []byte(r.prefix + "a"), Value: raw})
		}
		if err := cl.ProduceSync(ctx, records...).FirstErr(); err != nil {
			return err
		}
	}
	return nil
}
