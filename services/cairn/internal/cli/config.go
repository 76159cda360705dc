package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/cairnhq/cairn/pkg/app"
	"github.com/cairnhq/cairn/pkg/enrich/plan"
	"github.com/cairnhq/cairn/services/collector"
)

func newConfig(sh *shell) *cobra.Command {
	cmd := parent(&cobra.Command{
		Use: "config", Short: "Check or print the configuration",
		Example: "  cairn config check --config cairn.yaml --model journey.yaml\n  cairn config print --redact",
	})
	cmd.AddCommand(newConfigCheck(sh), newConfigPrint(sh))
	return cmd
}

func newConfigCheck(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use: "check", Short: "Check the configuration, the journey model and the files of enrichment", Args: exactly(0, ""),
		Long: `Check reads the configuration as a service would, the journey model file and the
tracking plan it names, the files of enrichment, the file of write keys and the mappings of webhooks (with their secrets, which must be set), and prints every mistake with its place. Exit code 1 if there is any.`,
		Example: "  cairn config check --config cairn.yaml --model journey.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, hint := range app.UnknownEnv(os.Environ()) {
				_, _ = fmt.Fprintln(sh.Err, "cairn: warning: "+hint)
			}
			cfg, err := sh.loadConfig(cmd)
			if err != nil {
				return err
			}
			m, err := loadModel(cfg.Model)
			if err != nil {
				return err
			}
			rules, err := loadRules(cfg)
			if err != nil {
				return err
			}
			if err := rules.Close(); err != nil {
				return err
			}
			tracking, err := plan.Load(cfg.Plan)
			if err != nil {
				return err
			}
			if file := cfg.Collector.Webhooks; file != "" {
				if _, err := collector.CheckWebhooks(file, os.LookupEnv); err != nil {
					return err
				}
			}
			if file := cfg.Collector.KeysFile; file != "" {
				if _, _, err := collector.CheckKeys(file); err != nil {
					return err
				}
			}
			_, err = fmt.Fprintf(sh.Out, "the configuration is fine; journey model %s, %d stages, %d frictions, %d personas%s\n",
				m.Name, len(m.Stages), len(m.Frictions), len(m.Personas), planned(tracking))
			return err
		},
	}
	setting(cmd.Flags(), "model", "model")
	setting(cmd.Flags(), "plan", "plan")
	return cmd
}

// planned is what config check says of a tracking plan.
func planned(p *plan.Plan) string {
	if p == nil {
		return ""
	}
	return fmt.Sprintf("; tracking plan of %d events", p.Events())
}

func newConfigPrint(sh *shell) *cobra.Command {
	var redact, origin bool
	cmd := &cobra.Command{
		Use: "print", Short: "Print the configuration that results from file, environment and flags", Args: exactly(0, ""),
		Example: "  cairn config print --redact\n  cairn config print --redact --origin",
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := wantsJSON(cmd)
			if err != nil {
				return err
			}
			cfg, err := sh.loadConfig(cmd)
			if err != nil {
				return err
			}
			if redact {
				cfg = cfg.Redact()
			}
			switch {
			case asJSON:
				return printJSON(sh.Out, cfg.Settings())
			case origin:
				t := newTable("setting", "value", "from", "environment")
				for _, s := range cfg.Settings() {
					t.row(s.Key, s.Value, s.Origin, s.Env)
				}
				return t.write(sh.Out)
			}
			return cfg.WriteYAML(sh.Out)
		},
	}
	cmd.Flags().BoolVar(&redact, "redact", false, "print secrets as "+app.Redacted)
	cmd.Flags().BoolVar(&origin, "origin", false, "print a table with where each value comes from")
	outputFlag(cmd.Flags())
	return cmd
}
