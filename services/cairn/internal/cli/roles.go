package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cairnhq/cairn/pkg/app"
	"github.com/cairnhq/cairn/pkg/warehouse"
)

func newRoles(sh *shell) *cobra.Command {
	var apply bool
	var format string
	cmd := &cobra.Command{
		Use: "roles", Short: "Print or make the roles of the namespace in ClickHouse", Args: exactly(0, ""),
		Long: `Roles prints what makes three roles: NAMESPACE_reader reads the views of NAMESPACE_bi and nothing else,
within bounds of time, memory and number of queries; NAMESPACE_writer is for sinks and consoles;
NAMESPACE_admin migrates, replays, erases and makes backups. With --apply it makes them, and lets
readers use the views; the user of clickhouse.dsn must be allowed to.

A server whose users stand in files takes --format xml as a file of users.d; run 'cairn migrate' after it.
Users and their passwords are yours to make: see docs/privacy.md.`,
		Example: `  cairn roles --apply --clickhouse clickhouse://admin:PASSWORD@clickhouse:9000/cairn
  cairn roles --format xml > /etc/clickhouse-server/users.d/cairn.xml`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := sh.loadConfig(cmd)
			if err != nil {
				return err
			}
			if err := warehouse.CheckNamespace(cfg.Namespace); err != nil {
				return err
			}
			switch format {
			case "sql":
			case "xml":
				if apply {
					return app.UsageErrorf("--apply goes with --format sql")
				}
				_, err := fmt.Fprint(sh.Out, warehouse.RolesXML(cfg.Namespace))
				return err
			default:
				return app.UsageErrorf("--format is %q: want sql or xml", format)
			}
			if !apply {
				_, err := fmt.Fprintln(sh.Out, strings.Join(warehouse.RoleStatements(cfg.Namespace), ";\n")+";")
				return err
			}
			conn, err := warehouse.Open(cmd.Context(), cfg.ClickHouse.DSN)
			if err != nil {
				return clickhouseError(cfg, err)
			}
			defer func() { _ = conn.Close() }()
			if err := warehouse.PutRoles(cmd.Context(), conn, cfg.Namespace); err != nil {
				return err
			}
			_, err = fmt.Fprintf(sh.Err, "cairn: the roles %[1]s_reader, %[1]s_writer and %[1]s_admin are there\n", cfg.Namespace)
			return err
		},
	}
	f := cmd.Flags()
	clickhouseFlags(f)
	f.BoolVar(&apply, "apply", false, "make them")
	f.StringVar(&format, "format", "sql", "sql, or xml for a server whose users stand in files")
	return cmd
}
