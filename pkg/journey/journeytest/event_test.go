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
		`d2 10:00:30.250 web a message_sent text="it was  \"so great\" " size="3" items=3 gone=null trait.plan=gold trait.old=null device=mobile asset`: {
			Identifier: "anonymous:a", Type: "track", Event: "message_sent", Device: "mobile", Flags: journey.FlagAsset,
			Properties: `{"gone":null,"items":3,"size":"3","text":"it was  \"so great\" "}`, Traits: `{"old":null,"plan":"gold"}`,
		},
		"d2 10:00:30.250 web undefined+anna+loyalty:0 page": {Identifier: "user:anna", UserID: "anna", Type: "page"},
		"d2 10:00:30.250 web null+loyalty:7+email:A@B.example+none page": {
			Identifier: "loyalty:7", Others: []string{"email:a@b.example"}, Type: "page",
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

// What a device's clock says becomes an event time as semantics.md D2 demands.
func TestParseEventTimes(t *testing.T) {
	const hour = 60 * minute
	for line, want := range map[string]journey.Touchpoint{
		"arrives=d1/12:00":                    {Time: 10 * hour, Received: 12 * hour},
		"sent=d1/10:05":                       {Time: 10 * hour, Received: 10*hour + 5*minute},
		"sent=d1/10:05 arrives=d1/10:06":      {Time: 10 * hour, Received: 10*hour + 6*minute},
		"sent=d1/10:05 arrives=d1/12:05:29":   {Time: 12 * hour, Received: 12*hour + 5*minute + 29*second, Original: 10 * hour, Flags: journey.FlagSkewed},
		"sent=d1/10:05 arrives=d1/08:05":      {Time: 8 * hour, Received: 8*hour + 5*minute, Original: 10 * hour, Flags: journey.FlagSkewed},
		"arrives=d1/09:55":                    {Time: 10 * hour, Received: 10*hour - 5*minute},
		"arrives=d1/09:54:59.999":             {Time: 10*hour - 5*minute - 1, Received: 10*hour - 5*minute - 1, Original: 10 * hour, Flags: journey.FlagClamped},
		"arrives=d1/09:54:59.999 bot /x id=m": {Time: 10*hour - 5*minute - 1, Received: 10*hour - 5*minute - 1, Original: 10 * hour, Flags: journey.FlagClamped | journey.FlagBot},
	} {
		got, err := journeytest.ParseEvent("d1 10:00 web a page " + line)
		require.NoError(t, err, line)
		if want.Original != 0 {
			want.Original += journeytest.Base
		}
		require.Equal(t, [3]int64{want.Time + journeytest.Base, want.Received + journeytest.Base, want.Original},
			[3]int64{got.Time, got.Received, got.Original}, line)
		require.Equal(t, want.Flags, got.Flags, line)
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
		"d1 10:00 web undefined page":               "nobody",
		"d1 10:00 web laptop page sent=d1":          "is no time",
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
