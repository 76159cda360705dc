//go:build linux

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/journey/journeytest"
	"github.com/cairnhq/cairn/pkg/model"
)

// sameJourneys compares profiles, journeys and transitions with what the
// brute-force model makes of the touchpoints all at once.
func (m *machine) sameJourneys(conn clickhouse.Conn, events *rawStream) {
	m.t.Helper()
	shop, err := model.Builtin("shop")
	require.NoError(m.t, err)
	answer := journeytest.Batch(shop, events.touchpoints, time.Now().UnixMilli())
	require.NotEmpty(m.t, answer.Transitions)
	at := func(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04:05.000") }
	var owners, journeys, transitions []string
	for point, profile := range answer.Owners {
		owners = append(owners, point.Identifier+" is "+profile)
	}
	for _, j := range answer.Journeys {
		journeys = append(journeys, fmt.Sprint(j.Profile, " ", at(j.Start), " to ", at(j.End), ": ", j.Touchpoints, " touchpoints, ", j.Status, " in ", j.Stage, "/", j.Substage))
	}
	for _, tr := range answer.Transitions {
		transitions = append(transitions, fmt.Sprint(tr.Profile, " ", tr.Seq, ": ", tr.From, " to ", tr.To, "/", tr.Substage, " ", tr.Direction, " at ", at(tr.At), " by ", tr.MessageID))
	}
	bi := m.namespace + "_bi."
	sameTexts(m.t, "profiles of touchpoints", owners, m.texts(conn, "SELECT concat(identifier, ' is ', profile) FROM "+bi+"v_touchpoints"))
	sameTexts(m.t, "journeys", journeys, m.texts(conn, `SELECT concat(profile, ' ', toString(started_at), ' to ', toString(ended_at), ': ',
		toString(touchpoints), ' touchpoints, ', status, ' in ', stage, '/', substage) FROM `+bi+`v_journeys`))
	sameTexts(m.t, "transitions", transitions, m.texts(conn, `SELECT concat(profile, ' ', toString(seq), ': ', from_stage, ' to ', to_stage, '/', substage, ' ', direction,
		' at ', toString(at), ' by ', touchpoint_id) FROM `+bi+`v_transitions`))
}

// texts are the rows of a query with one column.
func (m *machine) texts(conn clickhouse.Conn, query string, args ...any) []string {
	m.t.Helper()
	rows, err := conn.Query(m.t.Context(), query, args...)
	require.NoError(m.t, err, query)
	defer func() { _ = rows.Close() }()
	var out []string
	for rows.Next() {
		var s string
		require.NoError(m.t, rows.Scan(&s))
		out = append(out, s)
	}
	require.NoError(m.t, rows.Err())
	return out
}

// sameTexts fails with the first differences of two bags of texts.
func sameTexts(t *testing.T, what string, want, got []string) {
	t.Helper()
	count := map[string]int{}
	for _, s := range want {
		count[s]++
	}
	for _, s := range got {
		count[s]--
	}
	var differences []string
	for s, n := range count {
		switch {
		case n > 0:
			differences = append(differences, fmt.Sprintf("missing %dx %s", n, s))
		case n < 0:
			differences = append(differences, fmt.Sprintf("not wanted %dx %s", -n, s))
		}
	}
	if len(differences) == 0 {
		return
	}
	// Both sides of a difference stand together.
	slices.SortFunc(differences, func(a, b string) int {
		_, a, _ = strings.Cut(a, "x ")
		_, b, _ = strings.Cut(b, "x ")
		return strings.Compare(a, b)
	})
	t.Errorf("%s: %d wanted, %d there, %d differences:\n%s", what, len(want), len(got), len(differences),
		strings.Join(differences[:min(len(differences), 20)], "\n"))
}
