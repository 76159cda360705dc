package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/warehouse"
	"github.com/cairnhq/cairn/services/sink/sinkbench"
)

// chinsertBatch is how many rows chinsert inserts at once: it does nothing with fewer.
const chinsertBatch = 100_000

// sink lets the sink work off touchpoints alone, beside chinsert and ClickHouse's own
// Kafka engine, and then all that the sessionizer has written.
func (b *bench) sink(ctx context.Context) error {
	if err := b.sinkAlone(ctx); err != nil {
		return err
	}
	if err := b.sessionized(ctx); err != nil {
		return err
	}
	conn, err := warehouse.Open(ctx, b.dsn())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := warehouse.Migrate(ctx, conn, namespace); err != nil {
		return err
	}
	count := func(query string) (int, error) {
		var n uint64
		err := conn.QueryRow(ctx, query).Scan(&n)
		return int(n), err
	}
	say("sink")
	servers := b.serversCPU()
	p, err := b.start(ctx, "sink", namespace, "--clickhouse", b.dsn())
	if err != nil {
		return err
	}
	defer func() { _ = p.stop() }()
	wall, err := b.fill(ctx, p, b.unique, func() (int, error) { return count("SELECT count() FROM " + namespace + ".touchpoints") })
	if err != nil {
		return err
	}
	perM := func(d time.Duration) float64 { return d.Seconds() * 1e6 / float64(b.unique) }
	r := result{
		name: "cairn sink", rate: float64(b.unique) / wall.Seconds(), cpu: perM(processCPU(p.pid())), servers: perM(b.serversCPU() - servers),
		rss:  memoryOf(p.pid(), rssPeak),
		note: "touchpoints; sessions, journeys and transitions go with them and are not counted",
	}
	n := 0
	for deadline := time.Now().Add(time.Minute); n != b.sessions && time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if n, err = count("SELECT count() FROM " + namespace + "_bi.v_sessions"); err != nil {
			return err
		}
	}
	r.check = failure(differs("sessions", n, b.sessions))
	b.report.add(r)
	return nil
}

// fill measures from the first row of a table to the last.
func (b *bench) fill(ctx context.Context, p *proc, want int, rows func() (int, error)) (time.Duration, error) {
	// What is in the table at first sight was collected before.
	const every, flush = 50 * time.Millisecond, 200 * time.Millisecond
	var begin time.Time
	for deadline := time.Now().Add(5 * time.Minute); time.Now().Before(deadline) && ctx.Err() == nil; time.Sleep(every) {
		n, err := rows()
		if err != nil {
			continue // not there yet
		}
		if n > 0 && begin.IsZero() {
			begin = time.Now().Add(-flush)
		}
		if n >= want {
			return time.Since(begin), nil
		}
	}
	return 0, p.complain(ctx, fmt.Sprintf("%d rows were not reached", want))
}

// sinkAlone measures the table touchpoints alone: the rows of chinsert take no part
// in Kafka, those of the Kafka engine are parsed from JSON.
func (b *bench) sinkAlone(ctx context.Context) error {
	rows := max(b.events, chinsertBatch)
	both := b.env["KAFKA_PID"] + "," + b.env["CLICKHOUSE_PID"]
	bare, err := b.peerRow(ctx, "bin/chinsert", "--clickhouse", b.env["CLICKHOUSE"], "--rows", strconv.Itoa(rows), "--conns", "2", "--server-pids", both)
	if err != nil {
		return err
	}
	ours, together, err := b.sinkTouchpoints(ctx, rows)
	if err != nil {
		return err
	}
	b.report.aim("rows/s of touchpoints alone, of chinsert's", ">= 0.70", fmt.Sprintf("%.2f", ours.rate/bare.rate), ours.rate >= 0.7*bare.rate)
	if err := b.generate(ctx, stream.TopicRaw); err != nil {
		return err
	}
	best := 0.0
	for _, how := range []string{"rows", "extract"} {
		r, err := b.peerRow(ctx, "bin/chinsert", b.onKafka("--clickhouse="+b.env["CLICKHOUSE"], "--clickhouse-pid="+b.env["CLICKHOUSE_PID"],
			"--kafka-engine="+how, "--consumers=2")...)
		if err != nil {
			return err
		}
		if best == 0 || r.cpu < best {
			best = r.cpu
		}
	}
	b.report.aim("CPU s/M of the sink and ClickHouse together, less than the Kafka engine's", fmt.Sprintf("< %.2f", best), fmt.Sprintf("%.2f", together), together < best)
	return nil
}

// sinkTouchpoints lets a sink carry touchpoints and nothing else. together is the CPU
// of the sink and of ClickHouse, in seconds per million rows.
func (b *bench) sinkTouchpoints(ctx context.Context, rows int) (r result, together float64, err error) {
	const own = namespace + "alone"
	if err := b.topics(ctx, own); err != nil {
		return r, 0, err
	}
	say("write %d touchpoints, then sink", rows)
	if err := sinkbench.Fill(ctx, stream.Cluster{Brokers: []string{b.env["BROKERS"]}}, own, rows); err != nil {
		return r, 0, err
	}
	conn, err := warehouse.Open(ctx, b.dsn())
	if err != nil {
		return r, 0, err
	}
	defer func() { _ = conn.Close() }()
	if err := warehouse.Migrate(ctx, conn, own); err != nil {
		return r, 0, err
	}
	kafka, database := processCPU(b.kafka), processCPU(b.database)
	p, err := b.start(ctx, "sink", own, "--clickhouse", b.dsn())
	if err != nil {
		return r, 0, err
	}
	defer func() { _ = p.stop() }()
	wall, err := b.fill(ctx, p, rows, func() (int, error) {
		var n uint64
		err := conn.QueryRow(ctx, "SELECT count() FROM "+own+".touchpoints").Scan(&n)
		return int(n), err
	})
	if err != nil {
		return r, 0, err
	}
	perM := func(d time.Duration) float64 { return d.Seconds() * 1e6 / float64(rows) }
	server := perM(processCPU(b.database) - database)
	r = result{
		name: "cairn sink, touchpoints alone", rate: float64(rows) / wall.Seconds(), cpu: perM(processCPU(p.pid())),
		servers: server + perM(processCPU(b.kafka)-kafka), rss: memoryOf(p.pid(), rssPeak), check: "ok",
		note: fmt.Sprintf("55 columns, ReplacingMergeTree; of the servers' CPU ClickHouse took %.2f", server),
	}
	b.report.add(r)
	return r, r.cpu + server, nil
}
