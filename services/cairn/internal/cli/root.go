// Package cli is the command line of cairn: one file a command, wiring only.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cairnhq/cairn/pkg/app"
)

// Streams are where a command reads and writes.
type Streams struct {
	In  io.Reader
	Out io.Writer // results
	Err io.Writer // logs, progress and complaints
}

// shell is what every command works with.
type shell struct {
	Streams
	lookupEnv func(string) (string, bool)
}

// Main runs a command line (without the program's name) and returns the exit
// code. What went wrong is one line on the error stream.
func Main(ctx context.Context, args []string, s Streams, lookupEnv func(string) (string, bool)) int {
	root := newRoot(&shell{s, lookupEnv}) //nolint:contextcheck // a command gets ctx when it is run, from cobra
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && err.Error() != "" {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			_, _ = fmt.Fprintln(s.Err, "cairn: "+line)
		}
	}
	return app.ExitCode(err)
}

func newRoot(sh *shell) *cobra.Command {
	root := &cobra.Command{
		Use:   "cairn",
		Short: "Real-time customer journeys on Kafka and ClickHouse",
		Long: `cairn turns the touchpoints of your customers into sessions, journeys and stage
transitions while they happen, and shows them as a live journey map.`,
		Example:       "  cairn up\n  cairn import access.log --kafka 127.0.0.1:19092\n  cairn lag",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
	}
	root.SetIn(sh.In)
	root.SetOut(sh.Out)
	root.SetErr(sh.Err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return app.UsageErrorf("%s: see '%s --help'", err, cmd.CommandPath())
	})
	globalFlags(root)
	root.AddCommand(commands(sh)...)
	return root
}

// unknownCommand is one sentence with what was probably meant.
func unknownCommand(cmd *cobra.Command, name string) error {
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(name); len(near) > 0 {
		return app.UsageErrorf("there is no command %q: did you mean '%s %s'?", name, cmd.CommandPath(), near[0])
	}
	return app.UsageErrorf("there is no command %q: see '%s --help'", name, cmd.CommandPath())
}

// exactly wants n arguments, called what.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		if n == 0 {
			return app.UsageErrorf("%s takes no arguments but got %q: see '%s --help'", cmd.CommandPath(), args[0], cmd.CommandPath())
		}
		return app.UsageErrorf("%s wants %s: see '%s --help'", cmd.CommandPath(), what, cmd.CommandPath())
	}
}

// parent is a command that only has subcommands.
func parent(cmd *cobra.Command) *cobra.Command {
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return errors.Join(cmd.Help(), app.UsageErrorf("%s wants a subcommand", cmd.CommandPath()))
		}
		return unknownCommand(cmd, args[0])
	}
	return cmd
}
