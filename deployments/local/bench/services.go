package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/cairnhq/cairn/pkg/warehouse"
	"github.com/cairnhq/cairn/services/collector/loadgen"
)

// chinsertBatch is how many rows chinsert inserts at once: it does nothing with fewer.
const chinsertBatch = 100_000

// sink lets the sink work off what the sessionizer has written, beside chinsert.
func (b *bench) sink(ctx context.Context) error {
	if err := b.sessionized(ctx); err != nil {
		return err
	}
	if _, err := b.peerRow(ctx, "bin/chinsert", "--clickhouse", b.env["CLICKHOUSE"], "--rows", strconv.Itoa(max(b.events, chinsertBatch)), "--conns", "2",
		"--server-pids", b.env["KAFKA_PID"]+","+b.env["CLICKHOUSE_PID"]); err != nil {
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
	wall, err := b.fill(ctx, p, func() (int, error) { return count("SELECT count() FROM " + namespace + ".touchpoints") })
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
func (b *bench) fill(ctx context.Context, p *proc, rows func() (int, error)) (time.Duration, error) {
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
		if n >= b.unique {
			return time.Since(begin), nil
		}
	}
	return 0, p.complain(ctx, fmt.Sprintf("%d rows were not reached", b.unique))
}

// collector takes the load of barehttp's shape: 32 connections, 20 events each.
func (b *bench) collector(ctx context.Context) error {
	if _, err := b.peerRow(ctx, "bin/barehttp", b.onKafka("--parse=fast", "--events="+strconv.Itoa(b.events))...); err != nil {
		return err
	}
	const own = namespace + "collector"
	if err := b.topics(ctx, own); err != nil {
		return err
	}
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	say("collector")
	p, err := b.start(ctx, "collector", own, "--addr", addr)
	if err != nil {
		return err
	}
	defer func() { _ = p.stop() }()
	if err := p.await(ctx, "/readyz", 20*time.Millisecond); err != nil {
		return err
	}
	cpu, servers := processCPU(p.pid()), processCPU(b.kafka)
	const connections, batch = 32, 20
	res, err := loadgen.Run(ctx, loadgen.Options{
		URL: "http://" + addr, WriteKey: writeKey, Connections: connections, BatchEvents: batch, WarmUp: -1, Events: int64(b.events), Duration: time.Minute,
	})
	if err != nil {
		return err
	}
	if res.Events == 0 {
		return errors.New("no event was acknowledged")
	}
	r := result{name: "cairn collector", rate: float64(res.Events) / res.Seconds, rss: memoryOf(p.pid(), rssPeak)}
	r.cpu = (processCPU(p.pid()) - cpu).Seconds() * 1e6 / float64(res.Events)
	r.servers = (processCPU(b.kafka) - servers).Seconds() * 1e6 / float64(res.Events)
	r.note = fmt.Sprintf("%d connections x %d events, p50 %.1f ms, p99 %.1f ms", connections, batch, res.P50, res.P99)
	// Requests in flight when the load ends are answered, and not counted by it.
	problem := ""
	if n := int64(p.metric(`cairn_collector_events_total{outcome="accepted"`)); n < res.Events || n > res.Events+connections*batch {
		problem = fmt.Sprintf("%d accepted, %d acknowledged", n, res.Events)
	}
	r.check = failure(problem)
	b.report.add(r)
	return nil
}

func (b *bench) dsn() string { return "clickhouse://" + b.env["CLICKHOUSE"] + "/" + namespace }

func (b *bench) serversCPU() time.Duration { return processCPU(b.kafka) + processCPU(b.database) }
