package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/cairnhq/cairn/pkg/app"
)

func newMigrate(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use: "migrate", Short: "Create or update the databases, tables and views in ClickHouse", Args: exactly(0, ""),
		Example: `  cairn migrate --clickhouse clickhouse://cairn:PASSWORD@clickhouse:9000/cairn`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := sh.loadConfig(cmd)
			if err != nil {
				return err
			}
			m, err := loadModel(cfg.Model)
			if err != nil {
				return err
			}
			need := needsClickHouse(cfg)
			if err := app.WaitFor(cmd.Context(), cfg.StartupTimeout, need.name+" at "+need.where, need.try); err != nil {
				return err
			}
			if err := migrate(cmd.Context(), cfg, m); err != nil {
				return err
			}
			_, err = fmt.Fprintf(sh.Err, "cairn: databases %[1]s, %[1]s_bi and %[1]s_api are up to date\n", cfg.Namespace)
			return err
		},
	}
	setting(cmd.Flags(), "model", "model")
	clickhouseFlags(cmd.Flags())
	setting(cmd.Flags(), "startup-timeout", "startup_timeout")
	return cmd
}
