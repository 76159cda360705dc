package cli

import (
	"errors"
	"fmt"
	"maps"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cairnhq/cairn/pkg/app"
	"github.com/cairnhq/cairn/pkg/enrich/plan"
	"github.com/cairnhq/cairn/pkg/telemetry"
	"github.com/cairnhq/cairn/services/cairn/internal/putback"
)

// rejectedFlags are those of cairn replay --rejected alone.
func rejectedFlags(f *pflag.FlagSet) {
	f.Bool("rejected", false, "put rejected events back instead of rebuilding")
	f.StringSlice("reason", nil, "with --rejected: reasons of the events, as in bad_time,plan_violation; required")
	f.String("source", "", "with --rejected: their source (default: all)")
	f.String("to", "", "with --rejected: arrival to end before, RFC 3339 or a date (default: now)")
	f.String("fix", "", "with --rejected: file that says how to repair them (default: as they are)")
	f.Bool("dry-run", false, "with --rejected: count, and write nothing")
	setting(f, "plan", "plan")
}

// wantsPutBack reads --rejected. Flags of the other half of the command are
// mistakes: whoever gives them means something else.
func wantsPutBack(cmd *cobra.Command) (bool, error) {
	putBack, err := cmd.Flags().GetBool("rejected")
	if err != nil {
		return false, err
	}
	others, with := []string{"reason", "source", "to", "fix", "dry-run"}, "goes with --rejected"
	if putBack {
		others, with = []string{"yes", "run", "model"}, "is for a rebuild, not for --rejected"
	}
	for _, name := range others {
		if cmd.Flags().Changed(name) {
			return false, app.UsageErrorf("--%s %s", name, with)
		}
	}
	return putBack, nil
}

// readPutBack reads what the flags say.
func readPutBack(cmd *cobra.Command) (o putback.Options, err error) {
	f := cmd.Flags()
	if o.Reasons, err = f.GetStringSlice("reason"); err != nil {
		return o, err
	}
	if len(o.Reasons) == 0 {
		return o, app.UsageErrorf("--reason is missing: the reasons stand in cairn_bi.v_rejected and docs/touchpoints.md")
	}
	o.Source = cmd.Flag("source").Value.String()
	for name, into := range map[string]*time.Time{"from": &o.From, "to": &o.To} {
		text := cmd.Flag(name).Value.String()
		if text == "" || name == "from" && text == "earliest" {
			continue
		}
		if *into, err = time.Parse(time.RFC3339, text); err != nil {
			*into, err = time.Parse(time.DateOnly, text)
		}
		if err != nil {
			return o, app.UsageErrorf("--%s %q is no time: want RFC 3339, as in 2026-11-23T10:00:00Z, or a date", name, text)
		}
	}
	if file := cmd.Flag("fix").Value.String(); file != "" {
		if o.Fix, err = putback.LoadFix(file); err != nil {
			return o, err
		}
	}
	o.DryRun, err = f.GetBool("dry-run")
	return o, err
}

func (sh *shell) runPutBack(cmd *cobra.Command) error {
	asJSON, err := wantsJSON(cmd)
	if err != nil {
		return err
	}
	o, err := readPutBack(cmd)
	if err != nil {
		return err
	}
	cfg, err := sh.loadConfig(cmd)
	if err != nil {
		return err
	}
	if o.Plan, err = plan.Load(cfg.Plan); err != nil {
		return err
	}
	if o.Log, err = telemetry.NewLogger(sh.Err, cfg.Log.Level, cfg.Log.Format); err != nil {
		return err
	}
	o.Cluster, o.Namespace = cfg.Kafka.Cluster, cfg.Namespace
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := needsKafka(cfg, true).try(ctx); err != nil {
		return kafkaError(cfg, err)
	}
	res, err := putback.Run(ctx, o)
	if err != nil {
		if ctx.Err() != nil && cmd.Context().Err() == nil {
			return errors.New("stopped; what was put back stays so: run the same command again to go on")
		}
		return kafkaError(cfg, err)
	}
	if asJSON {
		return printJSON(sh.Out, res)
	}
	return sh.printPutBack(&res)
}

func (sh *shell) printPutBack(res *putback.Result) error {
	t := newTable("rejected events", "number")
	t.row("read", res.Read)
	t.row("matched", res.Matched)
	t.row("put back before", res.Before)
	if res.DryRun {
		t.row("would be put back", res.PutBack)
	} else {
		t.row("put back", res.PutBack)
	}
	for _, reason := range slices.Sorted(maps.Keys(res.StillBad)) {
		t.row("still "+reason, res.StillBad[reason])
	}
	if res.Truncated > 0 {
		t.row("too large to be kept whole", res.Truncated)
	}
	if res.Twice > 0 {
		t.row("rejected anew by a rebuild", res.Twice)
	}
	for _, c := range res.Changed {
		t.row(c.Step, c.Events)
	}
	if err := t.write(sh.Out); err != nil {
		return err
	}
	if res.FirstBad != "" {
		_, err := fmt.Fprintf(sh.Out, "\nleft out, the first: %s\n", res.FirstBad)
		return err
	}
	return nil
}
