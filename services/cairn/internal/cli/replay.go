package cli

import (
	"github.com/spf13/cobra"

	"github.com/cairnhq/cairn/pkg/app"
	"github.com/cairnhq/cairn/services/cairn/internal/replay"
)

func newReplay(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use: "replay", Short: "Rebuild journeys from the raw topic under a journey model, or put repaired rejected events back", Args: exactly(0, ""),
		Long: `Replay does one of two things.

REBUILD (without --rejected): it makes sessions, journeys, transitions and frictions anew from touchpoints.raw,
from a time on, under the journey model that --model names. It is how a model is
changed: from then on sessionizers run under the new one only.

Stop all sessionizers first. Replay records the change in Kafka, sets the steps back,
and says when to start the sessionizers again, with the new model (--run runs one
itself). Sinks go on. Readers see what there was until all of it is rebuilt, then the
new journeys; what arrives meanwhile shows with them. What arrived before TIME stays
as it is. Stopped anywhere, it goes on when the command is run again.

PUT BACK (--rejected --reason R): it reads touchpoints.rejected and writes the events
that --reason, --source, --from and --to name to touchpoints.raw once more, as they are
or repaired by the file of --fix. Each event goes back once, however often the command
is run; it keeps its arrival. Events that would be rejected again are left out and
counted. Everything goes on meanwhile. Begin with --dry-run.`,
		Example: `  cairn replay --model journey.yaml
  cairn replay --model journey.yaml --from 2026-11-01 --run --data /var/lib/cairn --yes
  cairn replay --rejected --reason plan_violation --fix fix.yaml --dry-run
  cairn replay --rejected --reason bad_time,bad_type --source till --from 2026-11-01 --fix fix.yaml`,
		RunE: sh.runReplay,
	}
	f := cmd.Flags()
	f.String("from", "", "arrival to begin with: RFC 3339, a date, or earliest (default: earliest, or that of the replay that was begun)")
	rejectedFlags(f)
	f.BoolP("yes", "y", false, "do not ask")
	f.Bool("run", false, "run a sessionizer in this process until it is done; needs identity.secret and --data")
	setting(f, "model", "model")
	setting(f, "data", "data")
	setting(f, "startup-timeout", "startup_timeout")
	kafkaFlags(f)
	clickhouseFlags(f)
	outputFlag(f)
	return cmd
}

// replayFlags are the flags of cairn replay that are no settings.
type replayFlags struct {
	from           replay.From
	yes, run, json bool
}

func readReplayFlags(cmd *cobra.Command) (f replayFlags, err error) {
	if f.json, err = wantsJSON(cmd); err != nil {
		return f, err
	}
	f.from = replay.Earliest(true)
	if text := cmd.Flag("from").Value.String(); text != "" {
		if f.from, err = replay.ParseFrom(text); err != nil {
			return f, app.UsageErrorf("--from %s", err)
		}
	}
	if f.yes, err = cmd.Flags().GetBool("yes"); err != nil {
		return f, err
	}
	f.run, err = cmd.Flags().GetBool("run")
	return f, err
}
