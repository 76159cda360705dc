package journeytest_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/journey/journeytest"
	"github.com/cairnhq/cairn/pkg/model"
)

// exampleModel is the model the worked examples of docs/semantics.md assume.
const exampleModel = `
version: 1
sessions: {inactivity_gap: 30m, lateness: 720h}
journeys: {inactivity_gap: 90d, goal: purchase}
identity: {user_limit: 2}
stages:
  - name: awareness
    enter: [{events: [ad_click]}, {type: page}]
  - name: consideration
    substages: [discover, compare]
    enter:
      - {substage: discover, events: [product_viewed], at_least: 2, within: 7d}
      - {substage: compare, events: [comparison_viewed], where: 'properties.items >= 2'}
  - {name: decision, enter: [{events: [cart_viewed, checkout_started]}]}
  - {name: purchase, enter: [{events: [order_completed]}]}
  - {name: retention, returns: [consideration], enter: [{events: [product_used, order_completed], after: purchase}]}
`

const (
	second int64 = 1000
	minute       = 60 * second
)

// tp builds a touchpoint at some milliseconds after the base.
func tp(ms int64, identifier, user, event string) journey.Touchpoint {
	t := journey.Touchpoint{
		MessageID: fmt.Sprintf("%s@%d", event, ms), Identifier: identifier, UserID: user,
		Type: "track", Event: event, Time: journeytest.Base + ms, Received: journeytest.Base + ms,
		Actor: journey.ActorCustomer, Channel: "web",
	}
	if event == "page" {
		t.Type, t.Event = "page", ""
	}
	return t
}

// a is an event of visitor A, with a user if one is given.
func a(minutes int64, event string, user ...string) journey.Touchpoint {
	return tp(minutes*minute, "anonymous:A", append(user, "")[0], event)
}

func business(t journey.Touchpoint) journey.Touchpoint {
	t.Actor = journey.ActorBusiness
	return t
}

func load(tb testing.TB) *journey.Model {
	tb.Helper()
	m, err := model.Load([]byte(exampleModel), "example.yaml")
	require.NoError(tb, err)
	return m
}

func answer(tb testing.TB, log ...journey.Touchpoint) *journeytest.Answer {
	tb.Helper()
	return journeytest.Batch(load(tb), log, journeytest.Base+60*minute)
}

// ownersInOrder lists the owners of the log's touchpoints.
func ownersInOrder(tb testing.TB, log ...journey.Touchpoint) []string {
	tb.Helper()
	got := answer(tb, log...)
	var owners []string
	for _, p := range log {
		owners = append(owners, journeytest.Who(got.Owners[journeytest.Point{Identifier: p.Identifier, MessageID: p.MessageID}]))
	}
	return owners
}

func TestExample1SessionsSplitBeyondTheGap(t *testing.T) {
	got := answer(t, a(0, "view"), a(30, "view"), tp(60*minute+1, "anonymous:A", "", "view"), business(a(45, "reply")))
	require.Equal(t, []string{"A d1 00:00..00:30 n=2 open", "A d1 01:00:00.001 n=1 open"}, got.Lines("sessions"))
	require.Equal(t, []string{"A d1 00:00..01:00:00.001 n=3 business=1 open"}, got.Lines("journeys"))
}

func TestExample2EarlierTouchpointsJoinTheUser(t *testing.T) {
	log := []journey.Touchpoint{a(0, "view"), a(5, "login", "1"), a(9, "view")}
	require.Equal(t, []string{"+1", "+1", "+1"}, ownersInOrder(t, log...))
	require.Equal(t, []string{"+1 d1 00:00..00:09 n=3 open"}, answer(t, log...).Lines("journeys"))
}

func TestExample3SharedDevice(t *testing.T) {
	require.Equal(t, []string{"+1", "+1", "+1", "+2", "+2", "+1", "+1"}, ownersInOrder(t,
		a(0, "v"), a(1, "v", "1"), a(2, "v"), a(3, "v", "2"), a(4, "v"), a(5, "v", "1"), a(6, "v")))
}

func TestExample4LateLinkMovesWhatFollowsIt(t *testing.T) {
	log := []journey.Touchpoint{a(1, "v", "1"), a(4, "v"), a(5, "v", "1"), a(6, "v")}
	require.Equal(t, []string{"+1", "+1", "+1", "+1"}, ownersInOrder(t, log...))
	require.Equal(t, []string{"+1", "+2", "+1", "+1", "+2"}, ownersInOrder(t, append(log, a(3, "v", "2"))...))
}

func alias(minutes int64, from, to string) journey.Touchpoint {
	t := tp(minutes*minute, "user:"+to, to, "")
	t.Type, t.PreviousID = "alias", from
	return t
}

func TestExample5AliasChainAndCycle(t *testing.T) {
	log := []journey.Touchpoint{
		tp(0, "user:1", "1", "v"), tp(1, "user:2", "2", "v"), tp(2, "user:3", "3", "v"), alias(3, "1", "2"), alias(4, "2", "3"),
	}
	require.Equal(t, []string{"+3", "+3", "+3", "+3", "+3"}, ownersInOrder(t, log...))
	require.Equal(t, []string{"+1", "+1", "+1", "+1", "+1", "+1"}, ownersInOrder(t, append(log, alias(5, "3", "1"))...))
}

func TestAliasOfTheEventsOwnAnonymousIDIsOnlyALink(t *testing.T) {
	p := alias(5, "A", "1")
	p.Identifier = "anonymous:A"
	require.Equal(t, []string{"+1", "+1", "+A"}, ownersInOrder(t, a(0, "v"), p, tp(6*minute, "user:A", "A", "v")))
}

func TestExample6ReceiptOfALoyaltyCard(t *testing.T) {
	login := a(60, "login", "1")
	login.Others = []string{"loyalty:L"}
	require.Equal(t, []string{"+1", "+1"}, ownersInOrder(t, tp(0, "loyalty:L", "", "receipt"), login))
}

// frictionLines answers with two patterns: checkout abandoned, support slow.
func frictionLines(t *testing.T, minutes int64, log ...journey.Touchpoint) []string {
	t.Helper()
	m := load(t)
	m.Frictions = []journey.FrictionRule{
		{Name: "abandoned", Absence: &journey.Absence{
			After:   journey.Rule{Events: []string{"checkout_started"}, After: -1, Substage: -1},
			Without: journey.Rule{Events: []string{"order_completed"}, After: -1, Substage: -1},
			For:     30 * minute,
		}},
		{Name: "slow", Absence: &journey.Absence{
			After:   journey.Rule{Events: []string{"ticket_opened"}, After: -1, Substage: -1},
			Without: journey.Rule{Actor: journey.ActorBusiness, After: -1, Substage: -1},
			For:     240 * minute,
		}},
	}
	return journeytest.Batch(m, log, journeytest.Base+minutes*minute).Lines("frictions")
}

func TestExample7CheckoutAbandoned(t *testing.T) {
	twice := []journey.Touchpoint{a(0, "checkout_started"), a(5, "checkout_started")}
	want := []string{"A abandoned at d1 00:30 in decision by checkout_started@0"}
	require.Equal(t, want, frictionLines(t, 60, twice...))
	require.Empty(t, frictionLines(t, 30, twice...), "published once now is later than its end")
	require.Empty(t, frictionLines(t, 60, append(twice, a(30, "order_completed"))...))
	require.Equal(t, want, frictionLines(t, 60, append(twice, tp(30*minute+1, "anonymous:A", "", "order_completed"))...))
}

func TestExample8SlowResponse(t *testing.T) {
	require.Equal(t, []string{"A slow at d1 04:00 by ticket_opened@0"},
		frictionLines(t, 300, a(0, "ticket_opened"), a(60, "note")))
	require.Empty(t, frictionLines(t, 300, a(0, "ticket_opened"), business(a(60, "reply"))))
}

func TestExample9LateTouchpointRefolds(t *testing.T) {
	log := []journey.Touchpoint{a(0, "page"), a(50, "order_completed")}
	require.Equal(t, []string{
		"A #1 d1 00:00: none -> awareness by page@0",
		"A #2 d1 00:50: awareness -> purchase after 50m skipped consideration, decision by order_completed@3000000",
	}, answer(t, log...).Lines("transitions"))
	require.Equal(t, []string{
		"A #1 d1 00:00: none -> awareness by page@0",
		"A #2 d1 00:20: awareness -> decision after 20m skipped consideration by cart_viewed@1200000",
		"A #3 d1 00:50: decision -> purchase after 30m by order_completed@3000000",
	}, answer(t, append(log, a(20, "cart_viewed"))...).Lines("transitions"))
}

func TestExample10SubstagesAndReturn(t *testing.T) {
	comparison := a(3, "comparison_viewed")
	comparison.Properties = `{"items":2}`
	got := answer(t, a(1, "product_viewed"), a(2, "product_viewed"), comparison, a(4, "product_viewed"),
		a(5, "order_completed"), a(6, "order_completed"), a(7, "product_viewed"))
	require.Equal(t, []string{
		"A #1 d1 00:02: none -> consideration/discover skipped awareness by product_viewed@120000",
		"A #2 d1 00:03: consideration -> consideration/compare within after 1m by comparison_viewed@180000",
		"A #3 d1 00:05: consideration -> purchase after 3m skipped decision by order_completed@300000",
		"A #4 d1 00:06: purchase -> retention after 1m by order_completed@360000",
		"A #5 d1 00:07: retention -> consideration/discover return after 1m by product_viewed@420000",
	}, got.Lines("transitions"))
}

func TestExample11RetentionOnlyAfterPurchase(t *testing.T) {
	got := answer(t, a(0, "product_used"), a(1, "order_completed"), a(2, "product_used"))
	require.Equal(t, []string{
		"A #1 d1 00:01: none -> purchase skipped awareness, consideration, decision by order_completed@60000",
		"A #2 d1 00:02: purchase -> retention after 1m by product_used@120000",
	}, got.Lines("transitions"))
	require.Equal(t, []string{"A d1 00:00..00:02 n=3 in retention converted"}, got.Lines("journeys"))
}

func TestExample12FrozenIdentifier(t *testing.T) {
	k := func(minutes int64, user string) journey.Touchpoint {
		return tp(minutes*minute, "anonymous:K", user, "v")
	}
	log := []journey.Touchpoint{k(1, "1"), k(2, "2"), k(3, "3"), k(9, "")}
	require.Equal(t, []string{"+1", "+2", "+3", "K"}, ownersInOrder(t, log...))
	require.Equal(t, []string{"frozen K"}, answer(t, log...).Lines("counts"))
}
