package cli

import (
	"context"
	"net"
	"net/netip"

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
	if err := p.cfg.Require("collector.write_keys"); err != nil {
		return err
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
	p.serve("collector", []dependency{needsKafka(p.cfg, true)}, func(ctx context.Context) (service, error) {
		return collector.New(ctx, collector.Options{
			Namespace: p.cfg.Namespace, Cluster: p.cfg.Kafka.Cluster, Listener: ln, WriteKeys: keys,
			MaxEventBytes: limits.EventBytes, MaxBatchBytes: limits.BatchBytes, MaxEvents: limits.BatchEvents,
			MaxInFlight: limits.InFlight, MaxConnections: limits.Connections, EventsPerSecond: float64(limits.EventsPerSecond),
			TrustedProxies:  proxies,
			ShutdownTimeout: p.stopTimeout(), Log: p.log, Registerer: p.reg,
		})
	})
}
