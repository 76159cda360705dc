package cli

import (
	"context"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairnhq/cairn/pkg/app"
	"github.com/cairnhq/cairn/services/collector"
)

func newCollector(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use: "collector", Short: "Run the HTTP front doors: events of SDKs -> touchpoints.raw", Args: exactly(0, ""),
		Example: `  CAIRN_COLLECTOR_WRITE_KEYS=KEY:shop cairn collector --addr 0.0.0.0:8080 --kafka broker:9092`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := sh.newProcess(cmd.Context(), cmd, "127.0.0.1:9101")
			if err != nil {
				return err
			}
			if err := p.serveCollector(cmd.Context(), "--addr"); err != nil {
				return err
			}
			return p.run(cmd.Context())
		},
	}
	setting(cmd.Flags(), "addr", "collector.addr")
	kafkaFlags(cmd.Flags())
	serviceFlags(cmd.Flags())
	return cmd
}

// serveCollector adds a collector that listens at collector.addr, which is set
// by the given flag.
func (p *process) serveCollector(ctx context.Context, flag string) error {
	if p.cfg.Collector.KeysFile == "" {
		if err := p.cfg.Require("collector.write_keys"); err != nil {
			return err
		}
	}
	ln, err := app.Listen(ctx, flag, p.cfg.Collector.Addr)
	if err != nil {
		return err
	}
	p.addCollector(ln)
	return nil
}

// addCollector adds a collector on a listener that is open.
func (p *process) addCollector(ln net.Listener) {
	var keys []collector.WriteKey
	for _, k := range p.cfg.Collector.WriteKeys {
		keys = append(keys, collector.WriteKey{Key: k.Key, Source: k.Source})
	}
	limits := p.cfg.Collector.Limits
	var proxies []netip.Prefix
	for _, text := range p.cfg.Collector.TrustedProxies {
		proxies = append(proxies, netip.MustParsePrefix(text)) // Validate has read it
	}
	spool := p.spoolFolder()
	var live atomic.Pointer[collector.Service]
	if p.cfg.Collector.KeysFile != "" {
		p.onHangup(func() {
			if s := live.Load(); s != nil {
				s.Reload()
			}
		})
	}
	p.serve("collector", p.collectorNeeds(spool), func(ctx context.Context) (service, error) {
		s, err := collector.New(ctx, collector.Options{
			Namespace: p.cfg.Namespace, Cluster: p.cfg.Kafka.Cluster, Listener: ln, WriteKeys: keys,
			MaxEventBytes: limits.EventBytes, MaxBatchBytes: limits.BatchBytes, MaxEvents: limits.BatchEvents,
			MaxInFlight: limits.InFlight, MaxConnections: limits.Connections, EventsPerSecond: float64(limits.EventsPerSecond),
			TrustedProxies: proxies, Webhooks: p.cfg.Collector.Webhooks,
			AllowedRedirects: p.cfg.Collector.Redirects,
			SnowplowSource:   p.cfg.Collector.Snowplow.Source, SnowplowPaths: p.cfg.Collector.Snowplow.Paths,
			KeysFile: p.cfg.Collector.KeysFile, Secret: []byte(p.cfg.Identity.Secret),
			SpoolDir: spool, SpoolBytes: int64(p.cfg.Collector.Spool.Bytes),
			MaxImportBytes: int64(limits.ImportBytes), ImportTimeout: limits.ImportTimeout,
			ShutdownTimeout: p.stopTimeout(), Log: p.log, Registerer: p.reg,
		})
		live.Store(s)
		return s, err
	})
}

// spoolFolder is where events wait while Kafka is away; "": nowhere.
func (p *process) spoolFolder() string {
	switch o := p.cfg.Collector.Spool; {
	case o.Bytes == 0:
		return ""
	case o.Dir != "":
		return o.Dir
	}
	return filepath.Join(p.cfg.Data, "spool")
}

// collectorNeeds is Kafka: at the first start somebody should hear that its
// address is wrong. Later starts have the spool, and must not be down because
// Kafka is.
func (p *process) collectorNeeds(spool string) []dependency {
	kafka := needsKafka(p.cfg, true)
	if spool == "" {
		return []dependency{kafka}
	}
	if _, err := os.Stat(spool); err != nil {
		return []dependency{kafka}
	}
	p.group.Add("topics", func(ctx context.Context) error {
		pause := time.NewTicker(time.Second)
		defer pause.Stop()
		for kafka.try(ctx) != nil { // the collector says what is wrong
			select {
			case <-pause.C:
			case <-ctx.Done():
				return nil
			}
		}
		<-ctx.Done()
		return nil
	})
	return nil
}

// onHangup calls a function at every SIGHUP until the process ends.
func (p *process) onHangup(do func()) {
	p.group.Add("reload", func(ctx context.Context) error {
		hangups := make(chan os.Signal, 1)
		signal.Notify(hangups, syscall.SIGHUP)
		defer signal.Stop(hangups)
		for {
			select {
			case <-hangups:
				do()
			case <-ctx.Done():
				return nil
			}
		}
	})
}
