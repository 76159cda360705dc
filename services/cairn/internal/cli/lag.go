package cli

import (
	"context"
	"fmt"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairnhq/cairn/pkg/app"
	"github.com/cairnhq/cairn/services/monitor"
)

func newLag(sh *shell) *cobra.Command {
	var maxLag float64
	var watch bool
	cmd := &cobra.Command{
		Use: "lag", Short: "Show how far every group is behind, in records and in seconds", Args: exactly(0, ""),
		Long: `Lag shows, for every group and partition of the namespace, the records that are not
committed yet and the age of the first of them. What is not known is absent ("-", in
JSON null), never 0. With --output json it prints an array of
{group, topic, partition, lag, lag_seconds, status, reason}.

Status: ok, lagging (behind by monitor.max_lag), stalled (only seen with --watch),
no_consumers, no_commit, unknown. Exit code 3 if a partition is behind by more than
--max-lag-seconds.`,
		Example: "  cairn lag --kafka broker:9092\n  cairn lag --output json --max-lag-seconds 60",
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := wantsJSON(cmd)
			if err != nil {
				return err
			}
			cfg, err := sh.loadConfig(cmd)
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			m, err := monitor.New(ctx, monitorOptions(cfg))
			if err != nil {
				return err
			}
			defer m.Close()
			limit := maxLag
			if !cmd.Flags().Changed("max-lag-seconds") {
				limit = -1
			}
			return kafkaError(cfg, sh.showLag(ctx, m, asJSON, watch, cfg.Monitor.PollInterval, limit))
		},
	}
	f := cmd.Flags()
	kafkaFlags(f)
	f.Float64Var(&maxLag, "max-lag-seconds", 0, "exit code 3 if a partition is behind by more (default: not checked)")
	f.BoolVarP(&watch, "watch", "w", false, "look again every monitor.poll_interval until stopped")
	outputFlag(f)
	return cmd
}

// showLag prints one look, or one after the other. A negative limit checks nothing.
func (sh *shell) showLag(ctx context.Context, m *monitor.Service, asJSON, watch bool, every time.Duration, limit float64) error {
	for {
		snap, err := m.Snapshot(ctx)
		if ctx.Err() != nil && watch {
			return nil
		}
		if err != nil {
			return err
		}
		if err := sh.printLag(snap, asJSON); err != nil {
			return err
		}
		if !watch {
			return exceeds(snap, limit)
		}
		select {
		case <-time.After(every):
		case <-ctx.Done():
			return nil
		}
	}
}

func exceeds(snap *monitor.Snapshot, limit float64) error {
	for _, p := range snap.Partitions {
		if limit >= 0 && p.Seconds != nil && *p.Seconds > limit {
			return &app.ExitError{Code: app.ExitExceeded, Message: fmt.Sprintf("group %s is %.1f s behind on %s/%d: more than --max-lag-seconds %g",
				p.Group, *p.Seconds, p.Topic, p.Partition, limit)}
		}
	}
	return nil
}
