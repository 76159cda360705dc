package journey_test

import (
	"strings"
	"testing"
	"unicode"

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

// TestSnakeCaseOfASCII: the short way is the long one, shorter.
func TestSnakeCaseOfASCII(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.OneOf(rapid.StringMatching(`[a-zA-Z0-9 _.$-]{0,70}`), rapid.StringOf(rapid.RuneFrom([]rune("aB1 _\t\x00é")))).Draw(t, "name")
		// A letter of another script behind a separator takes the long way, and changes nothing before it.
		require.Equal(t, journey.SnakeCase(name+" é"), strings.TrimPrefix(wordOrNone(journey.SnakeCase(name))+"_é", "_"), "%q", name)
	})
}

// wordOrNone drops a name that has no letter or digit.
func wordOrNone(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) < 0 {
		return ""
	}
	return s
}

func TestSnakeCaseAllocatesItsResultOnly(t *testing.T) {
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { journey.SnakeCase("Order Completed") }), 1.0)
}
