package cli

import (
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/cairnhq/cairn/pkg/app"
	"github.com/cairnhq/cairn/services/cairn/internal/tail"
)

func newTail(sh *shell) *cobra.Command {
	var o tail.Options
	cmd := &cobra.Command{
		Use: "tail TOPIC", Short: "Print a topic's records as JSON, one a line",
		Long: `Tail decodes the records of a topic of the namespace and prints each as one line of
JSON: topic, partition, offset, timestamp, key, headers and value. Only committed
records are read: the newest ones that are there (--max of them, 10 if not given);
with --follow those that come; with --from-beginning all.`,
		Example: "  cairn tail transitions --follow\n  cairn tail touchpoints.rejected --from-beginning --max 100",
		Args:    exactly(1, "the name of one topic, as in 'cairn tail transitions'"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.Max < 0 {
				return app.UsageErrorf("--max is %d: want 0 or more", o.Max)
			}
			cfg, err := sh.loadConfig(cmd)
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			o.Cluster, o.Namespace, o.Topic, o.Out = cfg.Kafka.Cluster, cfg.Namespace, args[0], sh.Out
			return kafkaError(cfg, tail.Run(ctx, o))
		},
	}
	f := cmd.Flags()
	kafkaFlags(f)
	f.BoolVar(&o.FromBeginning, "from-beginning", false, "start with the oldest records")
	f.BoolVarP(&o.Follow, "follow", "f", false, "wait for new records until stopped")
	f.Int64VarP(&o.Max, "max", "n", 0, "how many records (default: the newest 10, else no limit)")
	return cmd
}
