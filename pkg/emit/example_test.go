package emit_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/cairnhq/cairn/pkg/emit"
)

// A till reports a purchase. The receipt's number is the messageId, so that a
// till which reports it twice does not sell twice.
func ExampleClient_Send() {
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(6, "cairn.touchpoints.raw")) // yours is real
	if err != nil {
		panic(err)
	}
	defer kafka.Close()

	client, err := emit.New(emit.Options{Brokers: kafka.ListenAddrs(), Source: "till-berlin"})
	if err != nil {
		panic(err)
	}
	defer func() { _ = client.Close() }()

	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	purchase := emit.Touchpoint{
		MessageID:   "receipt-2026-0815",
		Event:       "Order Completed",
		ExternalIDs: []emit.ExternalID{{Type: "loyalty", ID: "L-4711"}},
		Time:        time.Date(2026, 11, 23, 17, 5, 0, 0, time.UTC),
		Channel:     "store",
		Properties:  map[string]any{"revenue": 49.90, "currency": "EUR"},
	}
	err = client.Send(ctx, purchase)
	if unsure, ok := errors.AsType[*emit.SendError](err); ok { // Kafka was away: once more, with the same messageIds
		err = client.Send(ctx, unsure.Unacknowledged...)
	}
	fmt.Println("sent:", err == nil)
	// Output: sent: true
}
