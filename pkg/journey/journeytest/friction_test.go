package journeytest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/journey/journeytest"
)

// rowsOf answers with one pattern, late enough for every absence.
func rowsOf(t *testing.T, f journey.FrictionRule, log ...journey.Touchpoint) []journeytest.FrictionRow {
	t.Helper()
	m := load(t)
	m.Frictions = []journey.FrictionRule{f}
	return journeytest.Batch(m, log, journeytest.Base+1000*minute).Frictions
}

// causes are the messages that caused the rows.
func causes(rows []journeytest.FrictionRow) []string {
	var list []string
	for _, r := range rows {
		list = append(list, r.MessageID)
	}
	return list
}

func on(events ...string) journey.Rule {
	return journey.Rule{Events: events, After: -1, Substage: -1}
}

func as(messageID string, t journey.Touchpoint) journey.Touchpoint {
	t.MessageID = messageID
	return t
}

func repeated() journey.FrictionRule {
	return journey.FrictionRule{Name: "repeated", Severity: 1, Repetition: &journey.Repetition{
		Match:   on("products_searched"),
		By:      func(p *journey.Touchpoint) (string, bool) { return p.Properties, p.Properties != "" },
		AtLeast: 3, Within: 5 * minute,
	}}
}

func search(ms int64, query string) journey.Touchpoint {
	p := tp(ms, "anonymous:A", "", "products_searched")
	p.Properties = query
	return p
}

func TestRepetitionEmptiesItsList(t *testing.T) {
	require.Equal(t, []string{"products_searched@300000"}, causes(rowsOf(t, repeated(),
		search(0, "x"), search(1, "y"), search(2, "x"), search(5*minute, "x"), // fires: exactly within
		search(5*minute+1, "x"), search(5*minute+2, "x"), // the list was emptied
		search(20*minute, "z"), search(21*minute, "z"), search(25*minute+1, "z"), // a millisecond too slow
	)))
	require.Equal(t, []string{"products_searched@2", "products_searched@5"}, causes(rowsOf(t, repeated(),
		search(0, "x"), search(1, "x"), search(2, "x"), search(3, "x"), search(4, "x"), search(5, "x"))))
}

func TestRepetitionNeedsItsValue(t *testing.T) {
	require.Empty(t, rowsOf(t, repeated(), search(0, ""), search(1, ""), search(2, ""), search(3, "x"), search(4, "x")))
	every := repeated()
	every.Repetition.By = nil
	require.Equal(t, []string{"products_searched@2"}, causes(rowsOf(t, every, search(0, ""), search(1, "x"), search(2, "y"))))
}

func abandoned() journey.FrictionRule {
	return journey.FrictionRule{Name: "abandoned", Severity: 2, Absence: &journey.Absence{
		After: on("checkout_started"), Without: on("order_completed"), For: 30 * minute,
	}}
}

func TestAbsenceAtEqualTimes(t *testing.T) {
	open := as("m", a(10, "checkout_started"))
	require.Empty(t, rowsOf(t, abandoned(), open, as("z", a(10, "order_completed"))), "after the opener in the order")
	require.Empty(t, rowsOf(t, abandoned(), open, as("b", a(10, "order_completed"))), "before the opener in the order")
	require.Equal(t, []string{"m"}, causes(rowsOf(t, abandoned(), open, as("b", tp(10*minute-1, "anonymous:A", "", "order_completed")))))
	require.Empty(t, rowsOf(t, abandoned(), open, as("z", tp(40*minute, "anonymous:A", "", "order_completed"))), "for later")
	require.Equal(t, []string{"m"}, causes(rowsOf(t, abandoned(), open, as("z", tp(40*minute+1, "anonymous:A", "", "order_completed")))))
}

func TestAbsenceEpisodes(t *testing.T) {
	for name, c := range map[string]struct {
		log  []journey.Touchpoint
		want []string
	}{
		"within an episode nothing opens": {
			[]journey.Touchpoint{as("1", a(0, "checkout_started")), as("2", a(30, "checkout_started"))}, []string{"1"},
		},
		"a millisecond after its end one does": {
			[]journey.Touchpoint{as("1", a(0, "checkout_started")), as("2", tp(30*minute+1, "anonymous:A", "", "checkout_started"))},
			[]string{"1", "2"},
		},
		"an order ends it, so the next checkout opens": {
			[]journey.Touchpoint{as("1", a(0, "checkout_started")), as("2", a(1, "order_completed")), as("3", a(2, "checkout_started"))}, []string{"3"},
		},
		"at the very time of its end nothing opens": {
			[]journey.Touchpoint{as("1", a(0, "checkout_started")), as("2", a(1, "order_completed")), as("3", a(1, "checkout_started"))}, nil,
		},
	} {
		require.Equal(t, c.want, causes(rowsOf(t, abandoned(), c.log...)), name)
	}
}

func TestOpenerDoesNotFulfilItself(t *testing.T) {
	alone := abandoned()
	alone.Absence.Without = on("checkout_started")
	require.Equal(t, []string{"1"}, causes(rowsOf(t, alone, as("1", a(0, "checkout_started")))))
	require.Equal(t, []string{"3"}, causes(rowsOf(t, alone,
		as("1", a(0, "checkout_started")), as("2", a(30, "checkout_started")), as("3", a(31, "checkout_started")))))
}

func TestFrictionRowSaysWhereItStruck(t *testing.T) {
	f := journey.FrictionRule{Name: "annoyed", Severity: 4, Event: &journey.Rule{Events: []string{"note"}, After: -1}}
	log := []journey.Touchpoint{
		business(a(0, "note")), a(1, "note"), a(2, "cart_viewed"), a(3, "note"), business(a(4, "note")),
		business(tp(100*24*60*minute, "anonymous:A", "", "note")),
	}
	log[3].Channel = "phone"
	rows := rowsOf(t, f, log...)
	require.Len(t, rows, 5)
	start := journeytest.Base + minute
	want := journeytest.FrictionRow{
		Profile: "anonymous:A", Name: "annoyed", Kind: "event", Severity: 4, At: start + 2*minute, MessageID: "note@180000",
		Identifier: "anonymous:A", Channel: "phone", Stage: "decision", JourneyStart: start,
	}
	require.Equal(t, want, rows[2])
	require.Zero(t, rows[0].JourneyStart, "before the journey")
	require.Equal(t, start, rows[1].JourneyStart)
	require.Empty(t, rows[1].Stage, "before the first stage")
	require.Equal(t, "decision", rows[3].Stage, "the business's count, too")
	require.Empty(t, rows[4].Stage, "after the journey's gap")
}

// What a page loads is a touchpoint that signals nothing.
func TestAssetsCauseNothing(t *testing.T) {
	asset := func(p journey.Touchpoint) journey.Touchpoint {
		p.Flags |= journey.FlagAsset
		return p
	}
	require.Empty(t, rowsOf(t, abandoned(), asset(a(0, "checkout_started"))))
	require.Len(t, rowsOf(t, abandoned(), a(0, "checkout_started"), asset(a(1, "order_completed"))), 1)
	m := journeytest.FullModel()
	got := journeytest.Batch(m, []journey.Touchpoint{asset(a(0, "demo_requested")), asset(a(1, "order_completed"))}, journeytest.Base)
	require.Empty(t, got.Transitions)
	require.Equal(t, 2, got.Journeys[0].Touchpoints)
	require.Zero(t, got.Journeys[0].IntentMillis)
	require.Zero(t, got.Journeys[0].SentimentCount)
	require.Equal(t, map[string]int{"demo_requested": 1, "order_completed": 1}, got.Sessions[0].EventCounts)
}
