//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"
)

// orderPlan is the tracking plan of the test: orders that violate it are rejected.
const orderPlan = `version: 1
events:
  Order Completed:
    mode: reject
    properties:
      revenue: {type: number, required: true, minimum: 0}
      currency: {type: string, enum: [EUR, USD]}
`

// orderFix repairs what two careless senders do.
const orderFix = `version: 1
fix:
  - rename: {from: /properties/amount, to: /properties/revenue}
  - cast: {path: /properties/revenue, to: number}
  - delete: {path: /timestamp}
`

// orders are what the shop sends. The collector takes all of them: one is bad by
// itself (the time), three violate the plan, which is the device step's business.
const orders = `{"batch":[
	{"type":"track","event":"Order Completed","messageId":"fine","userId":"u-1","properties":{"revenue":10,"currency":"EUR"}},
	{"type":"track","event":"Order Completed","messageId":"amount","userId":"u-1","properties":{"amount":"49.90","currency":"EUR"}},
	{"type":"track","event":"Order Completed","userId":"u-2","properties":{"amount":7,"currency":"USD"}},
	{"type":"track","event":"Order Completed","messageId":"hopeless","userId":"u-2","properties":{"revenue":"a lot"}},
	{"type":"track","event":"Order Completed","messageId":"soon","userId":"u-3","timestamp":"soon","properties":{"revenue":1}}
]}`

// putBack runs `cairn replay --rejected` with the fix and waits for what it makes.
func (m *machine) putBack(plan, fix string, more ...string) (out struct {
	Matched  int            `json:"matched"`
	Before   int            `json:"before"`
	PutBack  int            `json:"put_back"`
	StillBad map[string]int `json:"still_bad"`
	FirstBad string         `json:"first_bad"`
},
) {
	m.t.Helper()
	r := run(m.t, append([]string{
		"replay", "--rejected", "--reason", "plan_violation,bad_time", "--source", "default", "--fix", fix, "--plan", plan,
		"--kafka", m.Kafka, "--namespace", m.namespace, "--output", "json",
	}, more...)...)
	require.Zero(m.t, r.code, r.stderr)
	require.NoError(m.t, json.Unmarshal([]byte(r.stdout), &out), r.stdout)
	m.rest()
	return out
}

// orderRows are the shop's orders in ClickHouse: revenue by messageId; of
// one that came without, the collector has made it.
func (m *machine) orderRows(conn clickhouse.Conn) []string {
	m.t.Helper()
	return m.texts(conn, `SELECT concat(if(match(message_id, '^[0-9a-f]{8}-'), 'minted', message_id), ' ', toString(revenue), ' ', currency)
		FROM `+m.namespace+`_bi.v_touchpoints ORDER BY 1`)
}

// An order that the tracking plan rejects is in the table of the rejected with its
// place; repaired by a mapping and put back, it is counted once, however often the
// command is run. What no mapping repairs stays where it is.
func TestRejectedOrdersAreRepairedAndPutBackOnce(t *testing.T) {
	s := servers(t)
	plan, fix := written(t, "plan.yaml", orderPlan), written(t, "fix.yaml", orderFix)
	m := up(t, t.TempDir(), "--kafka", s.Kafka, "--clickhouse", s.ClickHouse, "--namespace", s.namespace, "--plan", plan, "--write-key", "key")
	m.namespace, m.ClickHouse = s.namespace, s.ClickHouse
	conn := m.sql()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, m.Collector+"/v1/batch", strings.NewReader(orders))
	require.NoError(t, err)
	req.SetBasicAuth(m.WriteKey, "")
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusOK, res.StatusCode)
	m.rest()

	require.Equal(t, []string{"fine 10 EUR"}, m.orderRows(conn))
	rejected := m.texts(conn, "SELECT concat(reason, ' ', error) FROM "+m.namespace+"_bi.v_rejected ORDER BY 1")
	require.Len(t, rejected, 4)
	require.Contains(t, strings.Join(rejected, "\n"), "plan_violation /properties/revenue: is string, want number")
	require.Equal(t, books{Accepted: 5, Touchpoints: 1, Rejected: 4}, m.accounts(conn))

	dry := m.putBack(plan, fix, "--dry-run")
	require.Equal(t, "4 0 3 map[plan_violation:1]", fmt.Sprint(dry.Matched, dry.Before, dry.PutBack, dry.StillBad))
	require.Contains(t, dry.FirstBad, "/properties/revenue: is string, want number")
	require.Equal(t, books{Accepted: 5, Touchpoints: 1, Rejected: 4}, m.accounts(conn), "a dry run writes nothing")

	counted := []string{"amount 49.9 EUR", "fine 10 EUR", "minted 7 USD", "soon 1 "}
	for i, want := range []string{"4 0 3 map[plan_violation:1]", "4 3 0 map[plan_violation:1]"} {
		got := m.putBack(plan, fix)
		require.Equal(t, want, fmt.Sprint(got.Matched, got.Before, got.PutBack, got.StillBad), "run %d", i+1)
		require.Equal(t, counted, m.orderRows(conn), "run %d", i+1)
		require.Equal(t, books{Accepted: 8, Touchpoints: 4, Rejected: 4}, m.accounts(conn), "run %d: an event that goes back is accepted once more", i+1)
		require.Equal(t, uint64(4), number(t, conn, "SELECT sum(touchpoints) FROM "+m.namespace+"_bi.v_journeys"), "run %d", i+1)
	}
	m.verified()
	m.stop()
}
