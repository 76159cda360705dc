package journeytest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/journey/journeytest"
)

func TestParseEvent(t *testing.T) {
	const hour = 60 * minute
	at := journeytest.Base + 24*hour + 10*hour + 30*second + 250
	for line, want := range map[string]journey.Touchpoint{
		"d2 10:00:30.250 web laptop page /tents": {
			Identifier: "anonymous:laptop", Type: "page", Page: journey.Page{Path: "/tents", URL: "https://shop.example/tents"},
		},
		"d2 10:00:30.250 web laptop+anna+loyalty:7 Order-Completed revenue=49.01 id=m7 items=2 size=XL": {
			Identifier: "anonymous:laptop", UserID: "anna", Others: []string{"loyalty:7"}, Type: "track", Event: "order_completed",
			RevenueMicros: 49_010_000, MessageID: "m7", Properties: `{"items":2,"size":"XL"}`,
		},
		"d2 10:00:30.250 web +anna alias from=ann": {Identifier: "user:anna", UserID: "anna", Type: "alias", PreviousID: "ann"},
		"d2 10:00:30.250 web loyalty:7 receipt business bot backfill source=till campaign=x arrives=d2/11:00": {
			Identifier: "loyalty:7", Type: "track", Event: "receipt", Actor: "business", Flags: journey.FlagBot | journey.FlagBackfill,
			Source: "till", Campaign: journey.Campaign{Name: "x"}, Received: journeytest.Base + 35*hour,
		},
	} {
		want.Time, want.Channel = at, "web"
		if want.Received == 0 {
			want.Received = at
		}
		if want.Actor == "" {
			want.Actor = journey.ActorCustomer
		}
		if want.Source == "" {
			want.Source = "shop"
		}
		got, err := journeytest.ParseEvent(line)
		require.NoError(t, err, line)
		require.Equal(t, want, got, line)
	}
}

func TestParseEventRefuses(t *testing.T) {
	for line, want := range map[string]string{
		"d1 10:00 web laptop":                       "an event is",
		"1 10:00 web laptop page":                   "is no time",
		"dx 10:00 web laptop page":                  "is no day",
		"d1 25:00 web laptop page":                  "is no time of day",
		"d1 10:00 web laptop+ page":                 "does not say who",
		"d1 10:00 web a+anna+ben page":              "does not say who",
		"d1 10:00 web laptop order_completed bussy": "is no detail",
		"d1 10:00 web laptop order revenue=lots":    "revenue",
		"d1 10:00 web +anna alias":                  "an alias is",
	} {
		_, err := journeytest.ParseEvent(line)
		require.ErrorContains(t, err, want, line)
	}
}

func TestClock(t *testing.T) {
	const day = 24 * 60 * minute
	for want, ms := range map[string]int64{
		"d1 00:00": 0, "d1 00:00:00.001": 1, "d1 10:20": 620 * minute, "d3 23:59:59": 3*day - second, "d0 23:59": -minute, "d0 00:00": -day,
	} {
		require.Equal(t, want, journeytest.Clock(journeytest.Base+ms))
	}
}
