package warehouse

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkLargeNamespace refreshes the roll-ups of a large namespace and reads what
// the console asks for, 20 times each, and every view, five times each: of CAIRN_BENCH_PROFILES profiles (500,000 if it is not set)
// with 20 touchpoints each, 4 sessions, a journey, 1 to 5 transitions. Run it once, with
// "-benchtime 1x -timeout 1h"; it needs a ClickHouse with 4 GB and ten minutes.
func BenchmarkLargeNamespace(b *testing.B) {
	profiles := 500_000
	if s := os.Getenv("CAIRN_BENCH_PROFILES"); s != "" {
		n, err := strconv.Atoi(s)
		require.NoError(b, err)
		profiles = n
	}
	h := newHouse(b)
	h.fillLarge(profiles)
	for _, name := range []string{"touchpoints", "days", "visits", "journeys"} {
		view := h.ns + ".rollup_" + name + "_refresh"
		start := time.Now()
		h.exec("SYSTEM REFRESH VIEW " + view)
		h.exec("SYSTEM WAIT VIEW " + view)
		b.Logf("refresh %s: %.1f s, %s rows", name, time.Since(start).Seconds(), h.rows("SELECT 1 FROM {ns}.rollup_"+name))
	}
	const whole, month = "(from = '1900-01-01 00:00:00', to = '2299-01-01 00:00:00')", "(from = '2026-06-20 10:00:00', to = '2026-07-20 10:00:00')"
	queries := []string{}
	for _, name := range []string{"stage_funnel", "stage_funnel_daily", "journey_map", "journey_map_totals"} {
		queries = append(queries, "_api."+name+whole, "_api."+name+month)
	}
	for _, name := range h.column("SELECT name FROM system.tables WHERE database = '" + h.ns + "_bi' ORDER BY name") {
		queries = append(queries, "_bi."+name)
	}
	for b.Loop() {
		for _, q := range queries {
			took := make([]time.Duration, 5)
			if strings.HasPrefix(q, "_api") {
				took = make([]time.Duration, 20)
			}
			for i := range took {
				start := time.Now()
				h.exec("SELECT * FROM " + h.ns + q + " LIMIT 100000 FORMAT Null")
				took[i] = time.Since(start)
			}
			slices.Sort(took)
			b.Logf("%-100s median %.2f s, p95 %.2f s, worst %.2f s", strings.TrimPrefix(q, "_"), took[len(took)/2].Seconds(), took[(len(took)*95-1)/100].Seconds(), took[len(took)-1].Seconds())
		}
	}
}

// fillLarge fills the tables by SQL.
func (h *house) fillLarge(profiles int) {
	h.t.Helper()
	require.NoError(h.t, PutModel(h.t.Context(), h.conn, h.ns, crowdModel()))
	const (
		start   = "(toDateTime64('2026-06-01 00:00:00', 3, 'UTC') + toIntervalSecond(cityHash64(i) % 5184000))"
		profile = "concat(if(i % 4 < 3, 'user:', 'anonymous:'), toString(i))"
		stages  = "['awareness', 'consideration', 'decision', 'purchase', 'retention']"
		depth   = "cityHash64(number, 'd') % 5 + 1"
	)
	for _, q := range []string{
		`INSERT INTO {ns}.touchpoints (message_id, identifier, type, event, event_time, received_at, channel, actor, source, session_id, page_path, channel_group, revenue_micros, sentiment, sentiment_source, flags, revision)
			SELECT hex(cityHash64(number)), concat('anonymous:', toString(number % {n} AS i)), if(k % 5 < 3, 'page', 'track'),
				['page_viewed', 'product_viewed', 'cart_viewed', 'page_viewed', 'order_completed', 'email_opened', 'ticket_opened'][cityHash64(i, k) % 7 + 1],
				` + start + ` + toIntervalSecond(intDiv(intDiv(number, {n}) AS k, 5) * 432000 + (k % 5) * 60) AS moment, moment,
				['web', 'web', 'email', 'store', 'app', 'call'][cityHash64(i, intDiv(k, 5)) % 6 + 1], if(k % 19 = 7, 'business', 'customer'), 'shop',
				concat('s', toString(i), '/', toString(intDiv(k, 5))), concat('/p/', toString(cityHash64(number) % 700)),
				['Organic Search', 'Paid Social', 'Direct', 'Email'][cityHash64(i, intDiv(k, 5)) % 4 + 1], if(cityHash64(i, k) % 7 = 4, 12000000, 0),
				toInt16(cityHash64(number) % 400) - 200, if(cityHash64(number) % 10 = 0, 'stars', ''), if(i % 50 = 49, 1, 0), number + 1
			FROM numbers({n} * 20)`,
		`INSERT INTO {ns}.sessions (session_id, identifier, status, started_at, ended_at, minted_at, touchpoints, channel, is_bot, revision)
			SELECT concat('s', toString(number % {n} AS i), '/', toString(intDiv(number, {n}) AS s)), concat('anonymous:', toString(i)), 'closed',
				` + start + ` + toIntervalSecond(s * 432000) AS moment, moment + toIntervalMinute(4), moment, 5, 'web', i % 50 = 49, number + 1 FROM numbers({n} * 4)`,
		`INSERT INTO {ns}.identities (identifier, map, revision)
			SELECT concat('anonymous:', toString(number AS i)), [(` + start + `, 'm', toString(i))], number + 1 FROM numbers({n}) WHERE i % 4 < 3`,
		`INSERT INTO {ns}.journeys (journey_id, profile, status, started_at, ended_at, minted_at, touchpoints, sessions, transitions, stage, furthest_stage, converted, revenue_micros, persona, revision)
			SELECT concat('j', toString(number AS i)), ` + profile + `, if(depth > 3, 'converted', 'open'), ` + start + ` AS moment, moment + toIntervalSecond(3 * 432000 + 240), moment, 20, 4, depth,
				` + stages + `[depth] AS reached, reached, depth > 3, if(depth > 3, 30000000, 0), ['', 'loyal', 'newcomer', 'browser'][i % 4 + 1], number + 1
			FROM (SELECT number, ` + depth + ` AS depth FROM numbers({n}))`,
		`INSERT INTO {ns}.transitions (journey_id, seq, profile, from_stage, to_stage, direction, at, dwell_ms, identifier, touchpoint_id, channel, revision)
			SELECT concat('j', toString(i)), s + 1, ` + profile + `, if(s = 0, '', ` + stages + `[s]), ` + stages + `[s + 1], 'advance', ` + start + ` + toIntervalSecond(s * 400000),
				if(s = 0, NULL, 400000000), concat('anonymous:', toString(i)), '', 'web', i * 5 + s
			FROM (SELECT number AS i, arrayJoin(range(` + depth + `)) AS s FROM numbers({n}))`,
		`INSERT INTO {ns}.frictions (friction_id, profile, journey_id, name, kind, severity, stage, at, identifier, touchpoint_id, session_id, channel, persona, revision)
			SELECT toString(number AS i), ` + profile + `, concat('j', toString(i)), ['rage_click', 'payment_failed'][number % 2 + 1], 'event', 2,
				` + stages + `[least(cityHash64(i, 'd') % 5, 2) + 1], ` + start + ` + toIntervalSecond(120), concat('anonymous:', toString(i)), hex(cityHash64(i + 2 * {n})), concat('s', toString(i), '/0'),
				'web', '', number + 1 FROM numbers({n}) WHERE i % 5 = 0`,
	} {
		q = strings.ReplaceAll(strings.ReplaceAll(q, "{ns}", h.ns), "{n}", strconv.Itoa(profiles))
		h.exec(q + " SETTINGS max_insert_block_size = 500000, max_partitions_per_insert_block = 1000")
	}
}
