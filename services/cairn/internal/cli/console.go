package cli

import (
	"context"
	"net"

	"github.com/spf13/cobra"

	"github.com/cairnhq/cairn/pkg/app"
	"github.com/cairnhq/cairn/services/console"
)

func newConsole(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use: "console", Short: "Run the console: query API and web UI", Args: exactly(0, ""),
		Example: `  cairn console --addr 127.0.0.1:8081 --clickhouse clickhouse://cairn:PASSWORD@clickhouse:9000/cairn`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := sh.newProcess(cmd.Context(), cmd, "127.0.0.1:9105")
			if err != nil {
				return err
			}
			if err := p.serveConsole(cmd.Context(), "--addr"); err != nil {
				return err
			}
			return p.run(cmd.Context())
		},
	}
	setting(cmd.Flags(), "addr", "console.addr")
	clickhouseFlags(cmd.Flags())
	serviceFlags(cmd.Flags())
	return cmd
}

// serveConsole adds a console that listens at console.addr, which is set by the
// given flag.
func (p *process) serveConsole(ctx context.Context, flag string) error {
	ln, err := app.Listen(ctx, flag, p.cfg.Console.Addr)
	if err != nil {
		return err
	}
	p.addConsole(ln)
	return nil
}

// addConsole adds a console on a listener that is open.
func (p *process) addConsole(ln net.Listener) {
	p.serve("console", []dependency{needsClickHouse(p.cfg)}, func(ctx context.Context) (service, error) {
		return console.New(ctx, console.Options{
			Namespace: p.cfg.Namespace, Listener: ln, DSN: p.cfg.ClickHouse.DSN, AllowedHosts: p.cfg.Console.AllowedHosts,
			MinCount: uint64(p.cfg.Console.MinCount),
			Log:      p.log, Registerer: p.reg,
		})
	})
}
