package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairnhq/cairn/pkg/app"
	"github.com/cairnhq/cairn/pkg/model"
	"github.com/cairnhq/cairn/pkg/warehouse"
)

func newVerify(sh *shell) *cobra.Command {
	var gap time.Duration
	cmd := &cobra.Command{
		Use: "verify", Short: "Recompute sessions, journeys, stages, roll-ups and accounting in SQL and compare them with the tables", Args: exactly(0, ""),
		Long: `Verify recomputes in SQL, from the touchpoints, what the stream produced, and prints
the differences. Let the stream come to rest first (cairn lag): while rows are on
their way, tables differ for a moment. Stages are folded again by the journey model
(--model) if that is the one in force. Exit code 1 if anything differs.`,
		Example: "  cairn verify\n  cairn verify --output json | jq '.checks[] | select(.differences > 0)'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := wantsJSON(cmd)
			if err != nil {
				return err
			}
			cfg, err := sh.loadConfig(cmd)
			if err != nil {
				return err
			}
			m, err := loadModel(cfg.Model)
			if err != nil {
				return err
			}
			conn, err := warehouse.Open(cmd.Context(), cfg.ClickHouse.DSN)
			if err != nil {
				return clickhouseError(cfg, err)
			}
			defer func() { _ = conn.Close() }()
			report, err := warehouse.Verify(cmd.Context(), conn, cfg.Namespace, warehouse.VerifyOptions{Gap: gap, Model: m, Condition: model.WhereSQL})
			if err != nil {
				return err
			}
			if asJSON {
				err = printJSON(sh.Out, verifyResult{report, report.Differences()})
			} else {
				_, err = fmt.Fprintln(sh.Out, report)
			}
			if err == nil && report.Differences() > 0 {
				err = &app.ExitError{Code: app.ExitFailure} // the report has said it
			}
			return err
		},
	}
	setting(cmd.Flags(), "model", "model")
	clickhouseFlags(cmd.Flags())
	cmd.Flags().DurationVar(&gap, "gap", 0, "inactivity gap of sessions (default: the model's in force)")
	outputFlag(cmd.Flags())
	return cmd
}

// verifyResult is the JSON of `cairn verify`.
type verifyResult struct {
	warehouse.Report
	Differences uint64 `json:"differences"`
}
