package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/cairnhq/cairn/services/collector/loadgen"
)

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
