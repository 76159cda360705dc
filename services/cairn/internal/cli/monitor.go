package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/cairnhq/cairn/pkg/app"
	"github.com/cairnhq/cairn/services/monitor"
)

func newMonitor(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use: "monitor", Short: "Run the monitor: lag of the namespace's groups as metrics", Args: exactly(0, ""),
		Example: `  cairn monitor --kafka broker:9092 --admin-addr 0.0.0.0:9104`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := sh.newProcess(cmd.Context(), cmd, "127.0.0.1:9104")
			if err != nil {
				return err
			}
			p.serveMonitor()
			return p.run(cmd.Context())
		},
	}
	kafkaFlags(cmd.Flags())
	serviceFlags(cmd.Flags())
	return cmd
}

// serveMonitor adds a monitor.
func (p *process) serveMonitor() {
	p.serve("monitor", []dependency{needsKafka(p.cfg, false)}, func(ctx context.Context) (service, error) {
		o := monitorOptions(p.cfg)
		o.Log, o.Registerer = p.log, p.reg
		return monitor.New(ctx, o)
	})
}

// monitorOptions are those that the service and `cairn lag` share.
func monitorOptions(cfg *app.Config) monitor.Options {
	return monitor.Options{
		Namespace: cfg.Namespace, Cluster: cfg.Kafka.Cluster,
		Interval: cfg.Monitor.PollInterval, MaxLag: cfg.Monitor.MaxLag,
	}
}
