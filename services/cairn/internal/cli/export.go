package cli

import (
	"github.com/spf13/cobra"

	"github.com/cairnhq/cairn/pkg/warehouse"
	"github.com/cairnhq/cairn/services/cairn/internal/forget"
)

func newExport(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use: "export", Short: "Print all that is stored of a person as JSON", Args: exactly(0, ""),
		Long: `Export prints one JSON document for each person: the identifiers that are theirs, and every row of
identities, touchpoints, late, rejected, sessions, journeys, transitions and frictions that 'cairn forget'
would erase. Of several revisions of a row it is the last. It needs ClickHouse, and for addresses and
phone numbers the identity.secret.`,
		Example: `  cairn export --profile user:42 > ida.json
  cairn export --identifier email:ida@example.com | jq '.touchpoints | length'`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := sh.loadConfig(cmd)
			if err != nil {
				return err
			}
			if err := needSecret(cfg); err != nil {
				return err
			}
			names, err := sh.readPersons(cmd, cfg)
			if err != nil {
				return err
			}
			conn, err := warehouse.Open(cmd.Context(), cfg.ClickHouse.DSN)
			if err != nil {
				return clickhouseError(cfg, err)
			}
			defer func() { _ = conn.Close() }()
			for _, name := range names {
				if err := forget.Export(cmd.Context(), conn, cfg.Namespace, name, sh.Out); err != nil {
					return err
				}
			}
			return nil
		},
	}
	personFlags(cmd.Flags())
	return cmd
}
