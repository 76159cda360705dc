package journey_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnhq/cairn/pkg/journey"
)

func TestSnakeCase(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "",
		"order_completed":       "order_completed",
		"Order Completed":       "order_completed",
		"orderCompleted":        "order_completed",
		"OrderCompleted":        "order_completed",
		"order-completed":       "order_completed",
		"ORDER COMPLETED":       "order_completed",
		"order.completed":       "order_completed",
		"  Order   Completed  ": "order_completed",
		"_order__completed_":    "order_completed",
		"$pageview":             "pageview",
		"HTTPServer Error":      "http_server_error",
		"userID":                "user_id",
		"Checkout Step 2":       "checkout_step_2",
		"Step2":                 "step2",
		"Größe gewählt":         "größe_gewählt",
		"注文完了":                  "注文完了",
		" !? ":                  "!?",
		"\xff\xfe":              "\xff\xfe",
	} {
		require.Equal(t, want, journey.SnakeCase(in), "of %q", in)
	}
}

func TestSnakeCaseIsIdempotent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		once := journey.SnakeCase(rapid.String().Draw(t, "name"))
		require.Equal(t, once, journey.SnakeCase(once))
	})
}

func TestSnakeCaseOfSnakeCaseDoesNotAllocate(t *testing.T) {
	require.Zero(t, testing.AllocsPerRun(100, func() { journey.SnakeCase("order_completed") }))
}
