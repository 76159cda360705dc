package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/cairnhq/cairn/services/sink"
)

func newSink(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use: "sink", Short: "Run the sink: derived topics -> ClickHouse", Args: exactly(0, ""),
		Example: `  cairn sink --kafka broker:9092 --clickhouse clickhouse://cairn:PASSWORD@clickhouse:9000/cairn`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := sh.newProcess(cmd.Context(), cmd, "127.0.0.1:9103")
			if err != nil {
				return err
			}
			model, err := p.loadModel()
			if err != nil {
				return err
			}
			p.serveSink(needsTables(p.cfg, model))
			return p.run(cmd.Context())
		},
	}
	setting(cmd.Flags(), "model", "model")
	kafkaFlags(cmd.Flags())
	clickhouseFlags(cmd.Flags())
	serviceFlags(cmd.Flags())
	return cmd
}

// serveSink adds a sink; more says what it needs besides the servers.
func (p *process) serveSink(more ...dependency) {
	p.serve("sink", append([]dependency{needsKafka(p.cfg, true), needsClickHouse(p.cfg)}, more...), func(ctx context.Context) (service, error) {
		return sink.New(ctx, sink.Options{
			Namespace: p.cfg.Namespace, Cluster: p.cfg.Kafka.Cluster, DSN: p.cfg.ClickHouse.DSN,
			FlushInterval: p.cfg.Sink.FlushInterval, MaxRows: p.cfg.Sink.BatchRows,
			StopTimeout: p.stopTimeout(), Log: p.log, Registerer: p.reg,
		})
	})
}
