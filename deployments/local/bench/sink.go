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

// fill measures from the first record that the sink has read to the last row in the
// table: starting up and joining the group are outside, as they are of the peers.
func (b *bench) fill(ctx context.Context, p *proc, want int, rows func() (int, error)) (time.Duration, error) {
	const look, every = 10 * time.Millisecond, 20 * time.Millisecond
	deadline := time.Now().Add(5 * time.Minute)
	waiting := func(pause time.Duration) bool {
		time.Sleep(pause)
		return time.Now().Before(deadline) && ctx.Err() == nil
	}
	begin := time.Now() // the last time that nothing was read yet
	for p.metric("cairn_sink_pending_rows")+p.metric("cairn_sink_rows_total") == 0 && waiting(look) {
		begin = time.Now()
	}
	for waiting(every) {
		// An error: the table is not there yet.
		if n, err := rows(); err == nil && n >= want {
			return time.Since(begin), nil
		}
	}
	return 0, p.complain(ctx, fmt.Sprintf("%d rows were not reached", want))
}

// sinkAlone measures the table touchpoints alone, in turn with chinsert, as each takes
// seconds only; the medians count. The rows of chinsert take no part in Kafka, those of
// the Kafka engine are parsed from JSON.
func (b *bench) sinkAlone(ctx context.Context) error {
	rows := max(b.events, chinsertBatch)
	both := b.env["KAFKA_PID"] + "," + b.env["CLICKHOUSE_PID"]
	var bare, ours, together []float64
	for n := range b.runs {
		r, err := b.peerRow(ctx, "bin/chinsert", "--clickhouse", b.env["CLICKHOUSE"], "--rows", strconv.Itoa(rows), "--conns", "2", "--server-pids", both)
		if err != nil {
			return err
		}
		bare = append(bare, r.rate)
		r, cpu, err := b.sinkTouchpoints(ctx, namespace+"alone"+strconv.Itoa(n), rows)
		if err != nil {
			return err
		}
		ours, together = append(ours, r.rate), append(together, cpu)
	}
	ratio := middle(ours) / middle(bare)
	b.report.aim("rows/s of touchpoints alone, of chinsert's", ">= 0.70", fmt.Sprintf("%.2f", ratio), ratio >= 0.7)
	if err := b.generate(ctx, stream.TopicRaw); err != nil {
		return err
	}
	least, fastest := 0.0, 0.0 // of the engine's two forms
	for _, how := range []string{"rows", "extract"} {
		r, err := b.peerRow(ctx, "bin/chinsert", b.onKafka("--clickhouse="+b.env["CLICKHOUSE"], "--clickhouse-pid="+b.env["CLICKHOUSE_PID"],
			"--kafka-engine="+how, "--consumers=2")...)
		if err != nil {
			return err
		}
		if least == 0 || r.cpu < least {
			least = r.cpu
		}
		fastest = max(fastest, r.rate)
	}
	cpu := middle(together)
	b.report.aim("CPU s/M of the sink and ClickHouse together, of the Kafka engine's better form", "< 1.00", fmt.Sprintf("%.2f (%.2f of %.2f)", cpu/least, cpu, least), cpu < least)
	say("the sink does %.1f times the rows/s of the Kafka engine's faster form", middle(ours)/fastest)
	return nil
}

// sinkTouchpoints lets a sink carry touchpoints and nothing else, in a namespace of
// their own. together is the CPU
// of the sink and of ClickHouse, in seconds per million rows.
func (b *bench) sinkTouchpoints(ctx context.Context, own string, rows int) (r result, together float64, err error) {
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
