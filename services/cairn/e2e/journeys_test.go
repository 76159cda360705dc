//go:build linux

package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/journey/journeytest"
	"github.com/cairnhq/cairn/pkg/model"
)

// sameProfiles checks that all touchpoints of visitors who once said who they
// are belong to that user, also those from before.
func (m *machine) sameProfiles(conn clickhouse.Conn, events *rawStream) {
	m.t.Helper()
	var want []string
	for profile, n := range events.linked {
		want = append(want, fmt.Sprint(profile, " ", n))
	}
	got := m.texts(conn, "SELECT concat(profile, ' ', toString(count())) FROM "+m.namespace+"_bi.v_touchpoints WHERE startsWith(identifier, 'anonymous:') AND startsWith(profile, 'user:') GROUP BY profile")
	sameTexts(m.t, "profiles of touchpoints", want, got)
}

// sameJourneys compares journeys and transitions with the brute-force model, for
// the visitors that are either known or not all the time. (What a journey of the
// others has collected depends on when the link came, until the identity
// hand-off.)
func (m *machine) sameJourneys(conn clickhouse.Conn, events *rawStream) {
	m.t.Helper()
	shop, err := model.Builtin("shop")
	require.NoError(m.t, err)
	mixed := map[string]bool{}
	for _, p := range events.touchpoints {
		mixed[p.Identifier] = mixed[p.Identifier] || events.linked[journey.UserProfile(p.UserID)] > 0
	}
	known := slices.DeleteFunc(slices.Clone(events.touchpoints), func(p journey.Touchpoint) bool { return mixed[p.Identifier] })
	answer := journeytest.Batch(shop, known, time.Now().UnixMilli())
	at := func(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.DateTime) }
	var journeys, transitions []string
	for _, j := range answer.Journeys {
		journeys = append(journeys, fmt.Sprint(j.Profile, " ", at(j.Start), " to ", at(j.End), ": ", j.Touchpoints, " touchpoints, ", j.Status, " in ", j.Stage, "/", j.Substage))
	}
	for _, tr := range answer.Transitions {
		transitions = append(transitions, fmt.Sprint(tr.Profile, " ", tr.Seq, ": ", tr.From, " to ", tr.To, "/", tr.Substage, " ", tr.Direction, " at ", at(tr.At), " by ", tr.MessageID))
	}
	others := "profile NOT IN ('" + strings.Join(slices.Collect(maps.Keys(events.linked)), "','") + "') AND profile NOT IN (SELECT identifier FROM " + m.namespace + ".identities FINAL)"
	sameTexts(m.t, "journeys", journeys, m.texts(conn, `SELECT concat(profile, ' ', formatDateTime(started_at, '%F %T'), ' to ', formatDateTime(ended_at, '%F %T'), ': ',
		toString(touchpoints), ' touchpoints, ', status, ' in ', stage, '/', substage) FROM `+m.namespace+`_bi.v_journeys WHERE `+others))
	sameTexts(m.t, "transitions", transitions, m.texts(conn, `SELECT concat(profile, ' ', toString(seq), ': ', from_stage, ' to ', to_stage, '/', substage, ' ', direction,
		' at ', formatDateTime(at, '%F %T'), ' by ', touchpoint_id) FROM `+m.namespace+`_bi.v_transitions WHERE `+others))
}

// texts are the rows of a query with one column.
func (m *machine) texts(conn clickhouse.Conn, query string) []string {
	m.t.Helper()
	rows, err := conn.Query(m.t.Context(), query)
	require.NoError(m.t, err, query)
	defer rows.Close()
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
