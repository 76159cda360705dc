//go:build linux

package e2e

import (
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"
)

// books is the accounting of the raw records.
type books struct{ Accepted, Touchpoints, Duplicates, Rejected, Late uint64 }

// accounts sums the books up. Every minute of every source must balance.
func (m *machine) accounts(conn clickhouse.Conn) books {
	m.t.Helper()
	var b books
	var unbalanced uint64
	require.NoError(m.t, conn.QueryRow(m.t.Context(),
		"SELECT sum(accepted), sum(touchpoints), sum(duplicates), sum(rejected), sum(late), countIf(difference != 0) FROM "+m.namespace+"_bi.v_data_quality").
		Scan(&b.Accepted, &b.Touchpoints, &b.Duplicates, &b.Rejected, &b.Late, &unbalanced))
	require.Zero(m.t, unbalanced, "minutes whose accounting has a difference")
	require.Equal(m.t, b.Accepted, b.Touchpoints+b.Duplicates+b.Rejected+b.Late)
	require.Equal(m.t, b.Touchpoints, number(m.t, conn, "SELECT count() FROM "+m.namespace+"_bi.v_touchpoints"), "rows of touchpoints")
	require.Equal(m.t, b.Rejected, number(m.t, conn, "SELECT count() FROM "+m.namespace+"_bi.v_rejected"), "rows of rejected")
	return b
}

// sessions reads the sessions that began with the source, and who the visitor
// was from the touchpoints that name them: all of a session must agree, and be
// as many and as far apart as the session says.
func (m *machine) sessions(conn clickhouse.Conn, source string) []span {
	m.t.Helper()
	return m.spans(conn, `
		SELECT t.shown, s.started_at, s.ended_at, s.touchpoints, toUInt64(0),
		       t.visitors = 1 AND t.first = s.started_at AND t.last = s.ended_at AND t.hits = s.touchpoints
		FROM `+m.namespace+`_bi.v_sessions AS s
		LEFT JOIN
		(
			SELECT v.session_id AS session_id, any(concat(`+shownNet+`, ' ', p.user_agent)) AS shown, uniqExact(p.ip, p.user_agent, v.identifier) AS visitors,
			       min(v.event_time) AS first, max(v.event_time) AS last, count() AS hits
			FROM `+m.namespace+`_bi.v_touchpoints AS v
			INNER JOIN (SELECT identifier, message_id, ip, user_agent FROM `+m.namespace+`.touchpoints FINAL) AS p
				ON p.identifier = v.identifier AND p.message_id = v.message_id
			GROUP BY session_id
		) AS t ON t.session_id = s.session_id
		WHERE s.source = ?`, source)
}

// shownNet is an address less its last number.
const shownNet = `arrayStringConcat(arrayPopBack(splitByChar('.', p.ip)), '.')`

// journeys reads the journeys of profiles whose touchpoints are the source's.
func (m *machine) journeys(conn clickhouse.Conn, source string) []span {
	m.t.Helper()
	return m.spans(conn, `
		SELECT t.shown, j.started_at, j.ended_at, j.touchpoints, j.sessions, t.hits = j.touchpoints
		FROM `+m.namespace+`_bi.v_journeys AS j
		INNER JOIN
		(
			SELECT v.journey_id AS journey_id, any(concat(`+shownNet+`, ' ', p.user_agent)) AS shown, count() AS hits
			FROM `+m.namespace+`_bi.v_touchpoints AS v
			INNER JOIN (SELECT identifier, message_id, ip, user_agent FROM `+m.namespace+`.touchpoints FINAL) AS p
				ON p.identifier = v.identifier AND p.message_id = v.message_id
			WHERE v.source = ?
			GROUP BY journey_id
		) AS t ON t.journey_id = j.journey_id`, source)
}

func (m *machine) spans(conn clickhouse.Conn, query, source string) []span {
	m.t.Helper()
	rows, err := conn.Query(m.t.Context(), query, source)
	require.NoError(m.t, err)
	defer func() { _ = rows.Close() }()
	var out []span
	for rows.Next() {
		var s span
		var agree bool
		require.NoError(m.t, rows.Scan(&s.shown, &s.start, &s.end, &s.hits, &s.sessions, &agree))
		s.start, s.end = s.start.In(time.UTC), s.end.In(time.UTC)
		require.True(m.t, agree, "the touchpoints that name it disagree with %s", s)
		out = append(out, s)
	}
	require.NoError(m.t, rows.Err())
	return out
}

// transitions are those of the namespace, each as a line of text.
func (m *machine) transitions(conn clickhouse.Conn) []string {
	m.t.Helper()
	return m.texts(conn, "SELECT concat(profile, ' ', toString(seq), ': ', from_stage, ' -> ', to_stage, ' at ', toString(at), ' by ', touchpoint_id) FROM "+
		m.namespace+"_bi.v_transitions")
}

// matches compares the tables with what the hits of the source make.
func (m *machine) matches(conn clickhouse.Conn, source string, hits []hit) {
	m.t.Helper()
	sameSpans(m.t, "sessions", spans(hits, sessionGap, false), m.sessions(conn, source))
	sameSpans(m.t, "journeys", spans(hits, journeyGap, true), m.journeys(conn, source))
}

// verified runs `cairn verify`, which must find nothing.
func (m *machine) verified() {
	m.t.Helper()
	r := run(m.t, "verify", "--clickhouse", m.ClickHouse, "--namespace", m.namespace)
	require.Zero(m.t, r.code, "cairn verify:\n%s%s", r.stdout, r.stderr)
	require.Contains(m.t, r.stdout, "0 differences")
}
