package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cairnhq/cairn/pkg/app"
	"github.com/cairnhq/cairn/pkg/warehouse"
	"github.com/cairnhq/cairn/services/cairn/internal/forget"
)

func newForget(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use: "forget", Short: "Erase persons, and hold their events back from now on", Args: exactly(0, ""),
		Long: `Forget erases what is stored of a person: their touchpoints, sessions, journeys, transitions, frictions
and identities in state, compacted topics and tables. Everything that aliases and logins join to the
identifier is the same person. An identifier that others used too, as a shared tablet, is erased
for the times at which it was theirs.

Their events of up to now are held back when they come again: late, from a file, or in a rebuild.
With --stop what they will do is held back, too. Records of logs go by the retention of their topics;
the command says by when.

Sessionizers and a sink must run: the command waits for them. Stopped anywhere, it goes on when it is
run again. It needs the identity.secret that the sessionizers have; beside a 'cairn up' it takes the one
in the data folder. Begin with --dry-run.`,
		Example: `  cairn forget --profile user:42 --dry-run
  cairn forget --identifier email:ida@example.com --stop --yes
  cairn forget --file requests.txt --yes --output json`,
		RunE: sh.runForget,
	}
	f := cmd.Flags()
	personFlags(f)
	f.Bool("stop", false, "hold back what they will do, too")
	f.Bool("dry-run", false, "say what would be erased, and change nothing")
	f.BoolP("yes", "y", false, "do not ask")
	setting(f, "startup-timeout", "startup_timeout")
	kafkaFlags(f)
	outputFlag(f)
	return cmd
}

// personFlags are those of commands about persons.
func personFlags(f *pflag.FlagSet) {
	f.StringArray("profile", nil, "profile kind:value, as in user:42; may be given several times")
	f.StringArray("identifier", nil, "one of their identifiers kind:value, as in email:ida@example.com; likewise")
	f.String("file", "", "file with one profile or identifier a line, - for standard input; # begins a comment")
	setting(f, "data", "data")
	clickhouseFlags(f)
}

// readPersons reads the flags of personFlags. Emails and phones are hashed as the
// sessionizers hash them.
func (sh *shell) readPersons(cmd *cobra.Command, cfg *app.Config) ([]forget.Name, error) {
	var texts, places []string
	for _, flag := range []string{"profile", "identifier"} {
		list, err := cmd.Flags().GetStringArray(flag)
		if err != nil {
			return nil, err
		}
		for _, text := range list {
			texts, places = append(texts, text), append(places, "--"+flag)
		}
	}
	if file := cmd.Flag("file").Value.String(); file != "" {
		lines, at, err := sh.readNames(file)
		if err != nil {
			return nil, err
		}
		texts, places = append(texts, lines...), append(places, at...)
	}
	if len(texts) == 0 {
		return nil, app.UsageErrorf("nobody is named: say who with --profile, --identifier or --file")
	}
	names := make([]forget.Name, len(texts))
	for i, text := range texts {
		var err error
		if names[i], err = forget.ParseName([]byte(cfg.Identity.Secret), text); err != nil {
			return nil, app.UsageErrorf("%s: %s", places[i], err)
		}
	}
	return names, nil
}

// readNames reads the lines of a file of names, and where each of them stands.
func (sh *shell) readNames(file string) (lines, places []string, err error) {
	in := sh.In
	if file != "-" {
		f, err := os.Open(file) //nolint:gosec // the file that the operator names
		if err != nil {
			return nil, nil, err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	scan := bufio.NewScanner(io.LimitReader(in, 64<<20))
	for n := 1; scan.Scan(); n++ {
		line := strings.TrimSpace(scan.Text())
		if line != "" && !strings.HasPrefix(line, "#") {
			lines, places = append(lines, line), append(places, fmt.Sprintf("%s:%d", file, n))
		}
	}
	if err := scan.Err(); err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", file, err)
	}
	return lines, places, nil
}

// needSecret sees to it that identity.secret is known: from the settings, else from
// the data folder of a `cairn up`.
func needSecret(cfg *app.Config) error {
	if cfg.Identity.Secret != "" {
		return nil
	}
	kept, err := os.ReadFile(filepath.Join(cfg.Data, "secrets", "identity"))
	if err == nil {
		cfg.Identity.Secret = strings.TrimSpace(string(kept))
	}
	return cfg.Require("identity.secret")
}

// forgetRun is a `cairn forget` with its flags read.
type forgetRun struct {
	cfg                *app.Config
	names              []forget.Name
	stop, dry, yes, js bool
}

func (sh *shell) runForget(cmd *cobra.Command, _ []string) (err error) {
	var r forgetRun
	if r.js, err = wantsJSON(cmd); err != nil {
		return err
	}
	for name, into := range map[string]*bool{"stop": &r.stop, "dry-run": &r.dry, "yes": &r.yes} {
		if *into, err = cmd.Flags().GetBool(name); err != nil {
			return err
		}
	}
	if r.cfg, err = sh.loadConfig(cmd); err != nil {
		return err
	}
	if err := needSecret(r.cfg); err != nil {
		return err
	}
	if r.names, err = sh.readPersons(cmd, r.cfg); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	err = sh.forget(ctx, &r)
	if err != nil && ctx.Err() != nil && cmd.Context().Err() == nil {
		return errors.New("stopped; run the same command again to go on")
	}
	return err
}

func (sh *shell) forget(ctx context.Context, r *forgetRun) error {
	if r.dry {
		return sh.previewForget(ctx, r)
	}
	if err := ready(ctx, r.cfg); err != nil {
		return err
	}
	return sh.forgetAll(ctx, r)
}

// shared is an error of an identifier that is no one person's, which does not keep
// the others from being forgotten; nil for all other errors.
func shared(err error) *warehouse.SharedError {
	s, _ := errors.AsType[*warehouse.SharedError](err)
	return s
}
