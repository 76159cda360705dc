package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cairnhq/cairn/pkg/app"
)

// settingKey annotates a flag with the setting it sets.
const settingKey = "cairn_setting"

// globalFlags are those of every command.
func globalFlags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringP("config", "c", "", "configuration file (default: "+app.EnvConfig+", else ./"+app.DefaultFile+" if there is one)")
	setting(f, "namespace", "namespace")
	setting(f, "log-level", "log.level")
	setting(f, "log-format", "log.format")
}

// setting adds a flag that sets a setting. Its value wins over the environment
// and the file; the setting's default and environment name go into the help.
func setting(f *pflag.FlagSet, flag, key string) {
	defaults := app.Defaults()
	for _, s := range defaults.Settings() {
		if s.Key != key {
			continue
		}
		usage := s.Help
		if usage == "" {
			usage = key
		}
		usage += " (environment " + s.Env
		if s.Value != "" {
			usage += ", default " + s.Value
		}
		f.String(flag, "", usage+")")
		if err := f.SetAnnotation(flag, settingKey, []string{key}); err != nil {
			panic(err) // the flag was added one line above
		}
		return
	}
	panic("no setting is called " + key) // our own mistake, found by any test
}

// kafkaFlags are those of commands that talk to Kafka.
func kafkaFlags(f *pflag.FlagSet) {
	setting(f, "kafka", "kafka.brokers")
	f.Lookup("kafka").Usage = "Kafka's addresses, host:port,host:port (environment CAIRN_KAFKA_BROKERS, default 127.0.0.1:19092)"
}

// clickhouseFlags are those of commands that talk to ClickHouse.
func clickhouseFlags(f *pflag.FlagSet) { setting(f, "clickhouse", "clickhouse.dsn") }

// serviceFlags are those of every long-running service.
func serviceFlags(f *pflag.FlagSet) {
	setting(f, "admin-addr", "admin.addr")
	setting(f, "startup-timeout", "startup_timeout")
	setting(f, "shutdown-timeout", "shutdown_timeout")
}

// loadConfig reads the configuration of a command: its flags, the environment
// and the file.
func (sh *shell) loadConfig(cmd *cobra.Command) (*app.Config, error) {
	file, err := cmd.Flags().GetString("config")
	if err != nil {
		return nil, err
	}
	flags := map[string]app.FlagValue{}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if keys := f.Annotations[settingKey]; len(keys) == 1 {
			flags[keys[0]] = app.FlagValue{Flag: "--" + f.Name, Text: f.Value.String()}
		}
	})
	return app.Load(app.Sources{File: file, LookupEnv: sh.lookupEnv, Flags: flags})
}

// outputFlag adds --output to a command that prints data.
func outputFlag(f *pflag.FlagSet) { f.StringP("output", "o", "text", "text or json") }

// wantsJSON reads --output.
func wantsJSON(cmd *cobra.Command) (bool, error) {
	switch o := cmd.Flag("output").Value.String(); o {
	case "json":
		return true, nil
	case "text":
		return false, nil
	default:
		return false, app.UsageErrorf("--output is %q: want text or json", o)
	}
}

// printJSON writes v as one line.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}
