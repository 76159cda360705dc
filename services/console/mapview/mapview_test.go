package mapview_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/testbed"
	"github.com/cairnhq/cairn/pkg/warehouse"
	"github.com/cairnhq/cairn/services/console/mapview"
)

func TestMain(m *testing.M) { testbed.Main(m) }

func TestFormat(t *testing.T) {
	for seconds, want := range map[float64]string{
		0: "0.0 s", 0.04: "0.0 s", 0.25: "0.3 s", 9.94: "9.9 s", 10: "10 s", 59.4: "59 s", 59.6: "1 m", 61: "1 m 1 s", 599: "9 m 59 s", 660: "11 m",
		3569: "59 m", 3599: "1 h", 3600: "1 h", 33_600: "9 h 20 m", 36_000: "10 h", 84_000: "23 h", 86_399: "1 d", 187_200: "2 d 4 h", 863_999: "10 d", 864_000: "10 d", 86_400_000: "1,000 d",
	} {
		require.Equal(t, want, mapview.FormatDuration(seconds), seconds)
	}
	for share, want := range map[float64]string{0: "0.0%", 1: "100.0%", 0.0625: "6.3%", 1.0 / 3: "33.3%", 0.9996: "100.0%"} {
		require.Equal(t, want, mapview.FormatShare(share), share)
	}
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 48_200: "48,200", 1_204_518: "1,204,518"} {
		require.Equal(t, want, mapview.FormatCount(n))
	}
}

// example is a map small enough to check by eye.
func example() *mapview.Map {
	half, third, quick := 0.5, 1.0/3, 5400.0
	n := func(n uint64) mapview.Count { return mapview.Count{N: n} }
	one := 1.0
	return &mapview.Map{
		Goal: "purchase",
		Stages: []mapview.Stage{
			{Stage: "awareness", Order: 1, Profiles: n(1200), OfEntrants: &one, WentOn: n(600), Conversion: &half, MedianDwellSeconds: &quick},
			{Stage: "decision", Order: 2, Profiles: n(600), OfEntrants: &half, WentOn: n(200), Conversion: &third},
			{Stage: "purchase", Order: 3, Profiles: n(200), OfEntrants: &third},
		},
		Channels: []mapview.Channel{
			{Channel: "web", Cells: []mapview.Cell{{Stage: "awareness", Profiles: n(1100)}, {Stage: "decision", Profiles: n(9)}, {Stage: "purchase"}}},
			{Channel: "call_centre", Cells: []mapview.Cell{{Stage: "awareness"}, {Stage: "decision", Profiles: n(12)}, {Stage: "purchase", Profiles: n(1)}}},
		},
		Daily: []mapview.Day{
			{Day: "2026-11-22", Stage: "awareness", Profiles: n(4), WentOn: n(2), Conversion: &half},
			{Day: "2026-11-22", Stage: "decision", Profiles: n(10), WentOn: n(5), Conversion: &half},
			{Day: "2026-11-23", Stage: "decision", Profiles: n(30), WentOn: n(10), Conversion: &third},
		},
	}
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, example().WriteTable(&b, 60))
	require.Equal(t, `              awareness   decision   purchase
─────────────────────────────────────────────
Profiles          1,200        600        200
Of entrants      100.0%      50.0%      33.3%
Went on             600        200          –
Conversion        50.0%      33.3%          –
Median dwell   1 h 30 m          –          –
─────────────────────────────────────────────
Web               1,100          9          –
Call centre           –         12          1

Channels: unique profiles with a touchpoint while in the stage; they overlap.

decision by day of entry: share of profiles that went on
2026-11-22   50.0%  ███████████████░░░░░░░░░░░░░░░   5 of 10
2026-11-23   33.3%  ██████████░░░░░░░░░░░░░░░░░░░░  10 of 30
`, b.String())
}

func TestTableKeepsNumbersOnANarrowTerminal(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, example().WriteTable(&b, 20))
	require.Contains(t, b.String(), "awarene…")
	require.Contains(t, b.String(), "1 h 30 m")
	require.Contains(t, b.String(), "10 of 30")
}

func TestEmptyTable(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, (&mapview.Map{}).WriteTable(&b, 0))
	require.Equal(t, "No journeys in this range.\n", b.String())
}

func TestMask(t *testing.T) {
	m := example()
	m.Mask(10)
	body, err := json.Marshal(m.Channels[0].Cells[1])
	require.NoError(t, err)
	require.JSONEq(t, `{"stage":"decision","touchpoints":null,"profiles":null,"share":null,"mean_dwell_seconds":null}`, string(body))
	require.True(t, m.Channels[1].Cells[2].Profiles.Hidden)
	require.Equal(t, uint64(12), m.Channels[1].Cells[1].Profiles.N)
	require.True(t, m.Daily[0].Profiles.Hidden)
	require.True(t, m.Daily[1].WentOn.Hidden, "5 of 10 tells of 5")
	require.Nil(t, m.Daily[1].Conversion)
	require.Equal(t, uint64(10), m.Daily[2].WentOn.N)
}

func TestFocusStage(t *testing.T) {
	m := example()
	require.Equal(t, "decision", m.FocusStage())
	m.Goal = "awareness"
	require.Equal(t, "awareness", m.FocusStage())
	m.Goal = ""
	require.Equal(t, "awareness", m.FocusStage())
	require.Empty(t, (&mapview.Map{}).FocusStage())
}

// The four people of this story are few enough to count in the head:
//
//	p1  1 Nov 10:00 web awareness · 12:00 email decision (skips consideration) · 2 Nov 12:00 store purchase
//	p2  1 Nov 09:00 web awareness, twice
//	p3  1 Nov 00:00 web awareness · 3 Nov retention · 4 Nov back to consideration
//	p4  a robot in awareness
func TestFetchCountsAStoryByHand(t *testing.T) {
	ctx, env := t.Context(), testbed.ClickHouse(t)
	conn, err := warehouse.Open(ctx, env.DSN)
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	require.NoError(t, warehouse.Migrate(ctx, conn, env.Namespace))
	model := &journey.Model{Name: "story", JourneyGap: 90 * 86_400_000, Goal: 3}
	for _, name := range []string{"awareness", "consideration", "decision", "purchase", "retention", "advocacy"} {
		model.Stages = append(model.Stages, journey.Stage{Name: name})
	}
	require.NoError(t, warehouse.PutModel(ctx, conn, env.Namespace, model.Compile()))
	for _, insert := range []string{
		`touchpoints (identifier, message_id, channel, event_time, received_at, flags, actor, revision) VALUES
			('p1', '1', 'web', '2026-11-01 10:00:00', '2026-11-01 10:00:01', 0, 'customer', 1),
			('p1', '2', 'email', '2026-11-01 12:00:00', '2026-11-01 12:00:01', 0, 'customer', 1),
			('p1', '3', 'store', '2026-11-02 12:00:00', '2026-11-05 08:00:00', 0, 'customer', 1),
			('p2', '1', 'web', '2026-11-01 09:00:00', '2026-11-01 09:00:01', 0, 'customer', 1),
			('p2', '2', 'web', '2026-11-01 09:01:00', '2026-11-01 09:01:01', 0, 'customer', 1),
			('p3', '1', 'web', '2026-11-01 00:00:00', '2026-11-01 00:00:01', 0, 'customer', 1),
			('p3', '2', 'web', '2026-11-03 00:00:00', '2026-11-03 00:00:01', 0, 'customer', 1),
			('p3', '3', 'web', '2026-11-04 00:00:00', '2026-11-04 00:00:01', 0, 'customer', 1),
			('p4', '1', 'web', '2026-11-01 09:00:00', '2026-11-01 09:00:01', 1, 'customer', 1)`,
		`transitions (journey_id, seq, profile, from_stage, to_stage, direction, at, dwell_ms, revision) VALUES
			('j1', 1, 'p1', '', 'awareness', 'advance', '2026-11-01 10:00:00', NULL, 1),
			('j1', 2, 'p1', 'awareness', 'decision', 'advance', '2026-11-01 12:00:00', 7200000, 1),
			('j1', 3, 'p1', 'decision', 'purchase', 'advance', '2026-11-02 12:00:00', 86400000, 1),
			('j2', 1, 'p2', '', 'awareness', 'advance', '2026-11-01 09:00:00', NULL, 1),
			('j3', 1, 'p3', '', 'awareness', 'advance', '2026-11-01 00:00:00', NULL, 1),
			('j3', 2, 'p3', 'awareness', 'retention', 'advance', '2026-11-03 00:00:00', 172800000, 1),
			('j3', 3, 'p3', 'retention', 'consideration', 'return', '2026-11-04 00:00:00', 86400000, 1),
			('j4', 1, 'p4', '', 'awareness', 'advance', '2026-11-01 09:00:00', NULL, 1)`,
		`journeys (journey_id, profile, status, started_at, ended_at, minted_at, revision) VALUES
			('j1', 'p1', 'converted', '2026-11-01 10:00:00', '2026-11-02 12:00:00', '2026-11-01 10:00:00', 1),
			('j2', 'p2', 'open', '2026-11-01 09:00:00', '2026-11-01 09:01:00', '2026-11-01 09:00:00', 1),
			('j3', 'p3', 'converted', '2026-11-01 00:00:00', '2026-11-04 00:00:00', '2026-11-01 00:00:00', 1),
			('j4', 'p4', 'open', '2026-11-01 09:00:00', '2026-11-01 09:00:00', '2026-11-01 09:00:00', 1)`,
		`sessions (session_id, identifier, status, started_at, ended_at, minted_at, is_bot, revision) VALUES
			('s4', 'p4', 'closed', '2026-11-01 09:00:00', '2026-11-01 09:00:00', '2026-11-01 09:00:00', true, 1)`,
	} {
		require.NoError(t, conn.Exec(ctx, "INSERT INTO "+env.Namespace+"."+insert))
	}

	m, err := mapview.Fetch(ctx, conn, env.Namespace, time.Time{}, time.Time{})
	require.NoError(t, err)
	m.GeneratedAt = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	m.Namespace = "story"
	requireJSON(t, m, `{
		"namespace": "story", "from": null, "to": null, "generated_at": "2026-11-23T00:00:00Z", "data_as_of": "2026-11-05T08:00:00Z",
		"first_touchpoint_at": "2026-11-01T00:00:00Z", "last_touchpoint_at": "2026-11-04T00:00:00Z", "goal": "purchase", "min_count": 1,
		"totals": {"touchpoints": 8, "touchpoints_in_stages": 8, "robot_touchpoints": 1, "profiles": 3},
		"stages": [
			{"stage": "awareness", "order": 1, "profiles": 3, "of_entrants": 1, "went_on": 2, "conversion": 0.6666666666666666, "median_dwell_seconds": 90000, "mean_dwell_seconds": 90000},
			{"stage": "consideration", "order": 2, "profiles": 2, "of_entrants": 0.6666666666666666, "went_on": 2, "conversion": 1, "median_dwell_seconds": null, "mean_dwell_seconds": null},
			{"stage": "decision", "order": 3, "profiles": 2, "of_entrants": 0.6666666666666666, "went_on": 2, "conversion": 1, "median_dwell_seconds": 86400, "mean_dwell_seconds": 86400},
			{"stage": "purchase", "order": 4, "profiles": 2, "of_entrants": 0.6666666666666666, "went_on": 1, "conversion": 0.5, "median_dwell_seconds": null, "mean_dwell_seconds": null},
			{"stage": "retention", "order": 5, "profiles": 1, "of_entrants": 0.3333333333333333, "went_on": 0, "conversion": 0, "median_dwell_seconds": 86400, "mean_dwell_seconds": 86400},
			{"stage": "advocacy", "order": 6, "profiles": 0, "of_entrants": 0, "went_on": 0, "conversion": null, "median_dwell_seconds": null, "mean_dwell_seconds": null}
		],
		"channels": [
			{"channel": "web", "cells": [
				{"stage": "awareness", "touchpoints": 4, "profiles": 3, "share": 1, "mean_dwell_seconds": 90000},
				{"stage": "consideration", "touchpoints": 1, "profiles": 1, "share": 0.5, "mean_dwell_seconds": null},
				{"stage": "decision", "touchpoints": 0, "profiles": 0, "share": null, "mean_dwell_seconds": null},
				{"stage": "purchase", "touchpoints": 0, "profiles": 0, "share": null, "mean_dwell_seconds": null},
				{"stage": "retention", "touchpoints": 1, "profiles": 1, "share": 1, "mean_dwell_seconds": 86400},
				{"stage": "advocacy", "touchpoints": 0, "profiles": 0, "share": null, "mean_dwell_seconds": null}]},
			{"channel": "email", "cells": [
				{"stage": "awareness", "touchpoints": 0, "profiles": 0, "share": null, "mean_dwell_seconds": null},
				{"stage": "consideration", "touchpoints": 0, "profiles": 0, "share": null, "mean_dwell_seconds": null},
				{"stage": "decision", "touchpoints": 1, "profiles": 1, "share": 0.5, "mean_dwell_seconds": 86400},
				{"stage": "purchase", "touchpoints": 0, "profiles": 0, "share": null, "mean_dwell_seconds": null},
				{"stage": "retention", "touchpoints": 0, "profiles": 0, "share": null, "mean_dwell_seconds": null},
				{"stage": "advocacy", "touchpoints": 0, "profiles": 0, "share": null, "mean_dwell_seconds": null}]},
			{"channel": "store", "cells": [
				{"stage": "awareness", "touchpoints": 0, "profiles": 0, "share": null, "mean_dwell_seconds": null},
				{"stage": "consideration", "touchpoints": 0, "profiles": 0, "share": null, "mean_dwell_seconds": null},
				{"stage": "decision", "touchpoints": 0, "profiles": 0, "share": null, "mean_dwell_seconds": null},
				{"stage": "purchase", "touchpoints": 1, "profiles": 1, "share": 0.5, "mean_dwell_seconds": null},
				{"stage": "retention", "touchpoints": 0, "profiles": 0, "share": null, "mean_dwell_seconds": null},
				{"stage": "advocacy", "touchpoints": 0, "profiles": 0, "share": null, "mean_dwell_seconds": null}]}
		],
		"daily": [
			{"day": "2026-11-01", "stage": "awareness", "profiles": 3, "went_on": 2, "conversion": 0.6666666666666666},
			{"day": "2026-11-01", "stage": "consideration", "profiles": 1, "went_on": 1, "conversion": 1},
			{"day": "2026-11-01", "stage": "decision", "profiles": 1, "went_on": 1, "conversion": 1},
			{"day": "2026-11-02", "stage": "purchase", "profiles": 1, "went_on": 0, "conversion": 0},
			{"day": "2026-11-03", "stage": "consideration", "profiles": 1, "went_on": 1, "conversion": 1},
			{"day": "2026-11-03", "stage": "decision", "profiles": 1, "went_on": 1, "conversion": 1},
			{"day": "2026-11-03", "stage": "purchase", "profiles": 1, "went_on": 1, "conversion": 1},
			{"day": "2026-11-03", "stage": "retention", "profiles": 1, "went_on": 0, "conversion": 0},
			{"day": "2026-11-04", "stage": "consideration", "profiles": 1, "went_on": 0, "conversion": 0}
		]}`)

	var rows uint64
	require.NoError(t, conn.QueryRow(ctx, "SELECT count() FROM "+env.Namespace+"_bi.v_journey_map WHERE profiles > 0").Scan(&rows))
	require.Equal(t, uint64(5), rows, "the plain view has the filled cells")
	require.NoError(t, conn.QueryRow(ctx, "SELECT count() FROM system.columns WHERE database = ? AND table IN ('v_journey_map', 'v_stage_funnel', 'v_stage_funnel_daily') AND comment = ''",
		env.Namespace+"_bi").Scan(&rows))
	require.Zero(t, rows, "every column has a comment")

	// From the moment p1 decides, up to but without the moment p3 is retained.
	m, err = mapview.Fetch(ctx, conn, env.Namespace, time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC), time.Date(2026, 11, 3, 0, 0, 0, 0, time.UTC))
	require.NoError(t, err)
	require.Equal(t, mapview.Totals{Touchpoints: 2, TouchpointsInStages: 2, Profiles: 1}, m.Totals)
	require.Equal(t, uint64(1), m.Stages[0].Profiles.N)
	require.Equal(t, uint64(1), m.Stages[3].Profiles.N)
	require.Zero(t, m.Stages[4].Profiles.N)
	require.Len(t, m.Channels, 2)
	require.Equal(t, uint64(1), m.Channels[0].Cells[2].Profiles.N, "email in decision")
	require.Equal(t, uint64(1), m.Channels[1].Cells[3].Profiles.N, "store in purchase")
	require.InDelta(t, 7200, *m.Stages[0].MeanDwellSeconds, 0, "left awareness at the first moment of the range")
	require.InDelta(t, 86400, *m.Stages[2].MeanDwellSeconds, 0)
	require.Nil(t, m.Stages[4].MeanDwellSeconds)
	require.Len(t, m.Daily, 3, "consideration passed over, decision, purchase")

	// Up to but without the moment p1 buys: still in decision, so there is no dwell yet.
	m, err = mapview.Fetch(ctx, conn, env.Namespace, time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC), time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC))
	require.NoError(t, err)
	require.Equal(t, uint64(1), m.Stages[2].Profiles.N)
	require.Zero(t, m.Stages[2].WentOn.N)
	require.Nil(t, m.Stages[2].MeanDwellSeconds)
	require.Equal(t, uint64(1), m.Channels[0].Cells[2].Profiles.N)
	require.Nil(t, m.Channels[0].Cells[2].MeanDwellSeconds)

	_, err = mapview.Fetch(ctx, conn, env.Namespace, time.Now(), time.Now().Add(-time.Hour))
	require.ErrorIs(t, err, mapview.ErrRange)
}

func requireJSON(t *testing.T, got any, want string) {
	t.Helper()
	body, err := json.Marshal(got)
	require.NoError(t, err)
	require.JSONEq(t, want, string(body))
}
