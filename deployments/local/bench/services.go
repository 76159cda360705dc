package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/cairnhq/cairn/services/collector/loadgen"
)

// httpLoad is a shape of load on an HTTP server: connections that are kept open, each
// of which sends its next request when the last is answered.
type httpLoad struct {
	connections, batch int
	rules              bool // of the source, on consent and personal data
}

func (l httpLoad) String() string {
	s := fmt.Sprintf("%d connections x %d events", l.connections, l.batch)
	if l.rules {
		s += ", with rules on consent and personal data"
	}
	return s
}

// sourceRules is what the load with rules has the collector do to each event.
const sourceRules = `sources:
  - source: bench
    consent: {required: [analytics], on_missing: accept}
    do_not_track: drop
    pii:
      - {path: properties.email, do: hash}
      - {path: properties.url, do: truncate, keep: 64}
      - {path: traits.notes, do: drop}
`

// collector takes requests of one event and of twenty, as barehttp does.
func (b *bench) collector(ctx context.Context) error {
	for _, l := range []httpLoad{{connections: 64, batch: 20}, {connections: 64, batch: 1}, {connections: 64, batch: 20, rules: true}} {
		if err := b.collectorUnder(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) collectorUnder(ctx context.Context, l httpLoad) error {
	events := b.events
	if l.batch == 1 {
		events /= 4 // a request for each takes longer
	}
	own := fmt.Sprintf("%scollector%d", namespace, l.batch)
	settings := "data: " + filepath.Join(b.dir, own) + "\n"
	if l.rules {
		own += "rules"
		file := filepath.Join(b.dir, "sources.yaml")
		if err := os.WriteFile(file, []byte(sourceRules), 0o600); err != nil {
			return err
		}
		settings += "collector: {keys_file: " + file + "}\n"
	}
	config := filepath.Join(b.dir, own+".yaml")
	if err := os.WriteFile(config, []byte(settings), 0o600); err != nil {
		return err
	}
	bare, err := b.peerRow(ctx, "bin/barehttp", b.onKafka("--parse=fast", "--events="+strconv.Itoa(events),
		"--conns="+strconv.Itoa(l.connections), "--batch="+strconv.Itoa(l.batch))...)
	if err != nil {
		return err
	}
	if err := b.topics(ctx, own); err != nil {
		return err
	}
	r, err := b.collectorRow(ctx, own, l, events, config)
	if err != nil {
		return err
	}
	b.report.add(r)
	if l.rules {
		return nil // barehttp has none: the row says what they cost
	}
	b.report.aim(fmt.Sprintf("events per CPU-second of the collector, of barehttp's, %s", l), ">= 0.70", fmt.Sprintf("%.2f", bare.cpu/r.cpu), bare.cpu/r.cpu >= 0.7)
	return nil
}

func (b *bench) collectorRow(ctx context.Context, own string, l httpLoad, events int, config string) (result, error) {
	r := result{name: "cairn collector", note: l.String()}
	say("collector, %s", r.note)
	addr, err := freeAddr()
	if err != nil {
		return r, err
	}
	p, err := b.start(ctx, "collector", own, "--addr", addr, "--config", config)
	if err != nil {
		return r, err
	}
	defer func() { _ = p.stop() }()
	if err := p.await(ctx, "/readyz", 20*time.Millisecond); err != nil {
		return r, err
	}
	cpu, servers := processCPU(p.pid()), processCPU(b.kafka)
	res, err := loadgen.Run(ctx, loadgen.Options{
		URL: "http://" + addr, WriteKey: writeKey, Connections: l.connections, BatchEvents: l.batch, WarmUp: -1, Events: int64(events), Duration: time.Minute,
	})
	if err != nil {
		return r, err
	}
	if res.Events == 0 {
		return r, errors.New("no event was acknowledged")
	}
	r.rate, r.rss = float64(res.Events)/res.Seconds, memoryOf(p.pid(), rssPeak)
	r.cpu = (processCPU(p.pid()) - cpu).Seconds() * 1e6 / float64(res.Events)
	r.servers = (processCPU(b.kafka) - servers).Seconds() * 1e6 / float64(res.Events)
	// Requests in flight when the load ends are answered, and not counted by it.
	problem := ""
	if n := int64(p.metric(`cairn_collector_events_total{outcome="accepted"`)); n < res.Events || n > res.Events+int64(l.connections*l.batch) {
		problem = fmt.Sprintf("%d accepted, %d acknowledged", n, res.Events)
	}
	r.check = failure(problem)
	r.note += fmt.Sprintf(", p50 %.1f ms, p99 %.1f ms", res.P50, res.P99)
	return r, nil
}

func (b *bench) dsn() string { return "clickhouse://" + b.env["CLICKHOUSE"] + "/" + namespace }

func (b *bench) serversCPU() time.Duration { return processCPU(b.kafka) + processCPU(b.database) }
