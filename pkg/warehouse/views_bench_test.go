package warehouse

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkViews measures what BI tools ask of the views, on 100,000 touchpoints
// of 4,000 identifiers (three in four with a user), 20,000 sessions (one in ten
// merged into another), 5,000 journeys, 15,000 transitions and 10,000 frictions.
func BenchmarkViews(b *testing.B) {
	h := newHouse(b)
	h.fillForViews()
	for name, query := range map[string]string{
		"v_touchpoints":  "SELECT stage, channel, count(), uniqExact(profile), sum(revenue) FROM {ns}_bi.v_touchpoints GROUP BY stage, channel FORMAT Null",
		"v_sessions":     "SELECT channel, count(), uniqExact(profile), avg(duration_seconds) FROM {ns}_bi.v_sessions GROUP BY channel FORMAT Null",
		"v_journeys":     "SELECT stage, count(), sum(revenue) FROM {ns}_bi.v_journeys GROUP BY stage FORMAT Null",
		"v_transitions":  "SELECT to_stage, count(), avg(dwell_seconds) FROM {ns}_bi.v_transitions GROUP BY to_stage FORMAT Null",
		"v_frictions":    "SELECT stage, channel, count(), uniqExact(profile) FROM {ns}_bi.v_frictions GROUP BY stage, channel FORMAT Null",
		"v_journey_map":  "SELECT * FROM {ns}_bi.v_journey_map FORMAT Null",
		"v_stage_funnel": "SELECT * FROM {ns}_bi.v_stage_funnel FORMAT Null",
	} {
		b.Run(name, func(b *testing.B) {
			query := strings.ReplaceAll(query, "{ns}", h.ns)
			for b.Loop() {
				require.NoError(b, h.conn.Exec(b.Context(), query))
			}
		})
	}
}

// fillForViews fills the tables by SQL: what the columns hold is made up, how they
// join is not.
func (h *house) fillForViews() {
	h.t.Helper()
	require.NoError(h.t, PutModel(h.t.Context(), h.conn, h.ns, shop()))
	const at = "toDateTime64('2026-03-01 00:00:00', 3, 'UTC')"
	const stages = "['awareness', 'consideration', 'purchase']"
	// Identifier n%4000 has 25 touchpoints an hour apart, five to a session, and
	// belongs to user n%3000 where it has one.
	for _, q := range []string{
		`INSERT INTO {ns}.touchpoints (message_id, identifier, type, event, event_time, received_at, channel, actor, source, session_id, page_path, revenue_micros, revision)
			SELECT toString(number), concat('anonymous:', toString(number % 4000)), 'page', 'page_viewed', ` + at + ` + toIntervalSecond(intDiv(number, 4000) * 3600) AS moment, moment,
				['web', 'email', 'store'][number % 3 + 1], if(number % 20 = 0, 'business', 'customer'), 'shop', concat('s', toString(number % 4000), '/', toString(intDiv(intDiv(number, 4000), 5))),
				concat('/p/', toString(number % 700)), number % 1000, number + 1 FROM numbers(100000)`,
		`INSERT INTO {ns}.sessions (session_id, identifier, status, merged_into, started_at, ended_at, minted_at, touchpoints, channel, revision)
			SELECT concat('s', toString(number % 4000), '/', toString(intDiv(number, 4000))), concat('anonymous:', toString(number % 4000)), if(number % 10 = 9, 'void', 'closed'),
				if(number % 10 = 9, concat('s', toString(number % 4000), '/0'), ''), ` + at + ` + toIntervalSecond(intDiv(number, 4000) * 5 * 3600) AS moment, moment + toIntervalHour(4), moment, 5,
				['web', 'email', 'store'][number % 3 + 1], number + 1 FROM numbers(20000)`,
		`INSERT INTO {ns}.identities (identifier, map, revision)
			SELECT concat('anonymous:', toString(number)), [(` + at + ` + toIntervalHour(3), 'm', toString(number))], number + 1 FROM numbers(3000)`,
		`INSERT INTO {ns}.journeys (journey_id, profile, status, started_at, ended_at, minted_at, touchpoints, stage, revision)
			SELECT concat('j', toString(number)), concat(if(number % 4000 < 3000, 'user:', 'anonymous:'), toString(number % 4000)), 'open', ` + at + ` + toIntervalSecond(intDiv(number, 4000) * 36000) AS moment,
				moment + toIntervalHour(9), moment, 10, ` + stages + `[number % 3 + 1], number + 1 FROM numbers(5000)`,
		`INSERT INTO {ns}.transitions (journey_id, seq, profile, to_stage, direction, at, dwell_ms, identifier, touchpoint_id, revision)
			SELECT concat('j', toString(number % 5000)) AS j, intDiv(number, 5000) + 1, concat(if(number % 5000 % 4000 < 3000, 'user:', 'anonymous:'), toString(number % 5000 % 4000)),
				` + stages + `[intDiv(number, 5000) + 1], 'advance', ` + at + ` + toIntervalSecond(intDiv(number % 5000, 4000) * 36000 + intDiv(number, 5000) * 7200), 7200000,
				concat('anonymous:', toString(number % 4000)), '', number + 1 FROM numbers(15000)`,
		`INSERT INTO {ns}.frictions (friction_id, profile, journey_id, name, kind, severity, stage, at, identifier, touchpoint_id, session_id, channel, status, revision)
			SELECT toString(number), concat(if(number % 4000 < 3000, 'user:', 'anonymous:'), toString(number % 4000)), concat('j', toString(number % 5000)), ['rage_click', 'payment_failed'][number % 2 + 1],
				'event', 2, ` + stages + `[number % 3 + 1], ` + at + ` + toIntervalSecond(intDiv(number, 4000) * 3600), concat('anonymous:', toString(number % 4000)), toString(number),
				concat('s', toString(number % 4000), '/0'), 'web', if(number % 20 = 0, 'void', ''), number + 1 FROM numbers(10000)`,
	} {
		h.exec(strings.ReplaceAll(q, "{ns}", h.ns))
	}
	require.Equal(h.t, []string{"100000"}, h.column(fmt.Sprintf("SELECT toString(count()) FROM %s_bi.v_touchpoints", h.ns)))
}
