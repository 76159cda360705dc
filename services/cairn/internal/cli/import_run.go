package cli

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/cairnhq/cairn/pkg/app"
	"github.com/cairnhq/cairn/services/cairn/internal/importer"
)

func (sh *shell) runImport(cmd *cobra.Command, args []string) error {
	asJSON, err := wantsJSON(cmd)
	if err != nil {
		return err
	}
	format := importer.Format(cmd.Flag("format").Value.String())
	switch format {
	case importer.Auto, importer.AccessLog, importer.NDJSON:
	default:
		return app.UsageErrorf("--format is %q: want auto, access or ndjson", format)
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	sender, done, err := sh.importSender(ctx, cmd)
	if err != nil {
		return err
	}
	defer done()
	bar := newBar(sh.Err, args)
	sum, err := importer.Run(ctx, importer.Options{
		Files: args, Stdin: sh.In, Format: format, Sender: sender,
		Source: cmd.Flag("source").Value.String(), Site: cmd.Flag("site").Value.String(),
		Complaints: bar, Progress: bar.Progress,
	})
	bar.Finish()
	if err != nil { // how much of it was taken is not known
		return fmt.Errorf("%w; the import is incomplete: run it again, what was taken counts once", err)
	}
	return errors.Join(sh.printImport(sum, asJSON), tooLong(sum))
}

// importSender is where the command's flags send to.
func (sh *shell) importSender(ctx context.Context, cmd *cobra.Command) (importer.Sender, func(), error) {
	cfg, err := sh.loadConfig(cmd)
	if err != nil {
		return nil, nil, err
	}
	url, key := cmd.Flag("collector").Value.String(), cmd.Flag("write-key").Value.String()
	if url == "" {
		if key != "" {
			return nil, nil, app.UsageErrorf("--write-key goes with --collector: Kafka asks for none")
		}
		k, err := importer.NewKafkaSender(ctx, cfg.Kafka.Cluster, cfg.Namespace)
		if err != nil {
			return nil, nil, kafkaError(cfg, err)
		}
		return k, k.Close, nil
	}
	if cmd.Flag("kafka").Changed {
		return nil, nil, app.UsageErrorf("--kafka and --collector exclude each other: give one")
	}
	if key == "" {
		return nil, nil, app.UsageErrorf("--collector wants a --write-key too")
	}
	c := &importer.CollectorSender{URL: url, WriteKey: key, Notice: func(text string) { _, _ = fmt.Fprintln(sh.Err, "cairn: "+text) }}
	if err := c.Check(); err != nil {
		return nil, nil, app.UsageErrorf("%s", err)
	}
	return c, func() {}, nil
}

// tooLong makes a failure of lines that could not be sent at all.
func tooLong(sum *importer.Summary) error {
	if sum.TooLong == 0 {
		return nil
	}
	return fmt.Errorf("%d lines longer than %d bytes were not sent", sum.TooLong, importer.MaxLine)
}

func (sh *shell) printImport(sum *importer.Summary, asJSON bool) error {
	if asJSON {
		return printJSON(sh.Out, sum)
	}
	t := newTable("file", "lines", "sent", "malformed", "blank")
	for _, f := range sum.Files {
		t.row(f.File, f.Lines, f.Sent, f.Malformed, f.Blank)
	}
	if len(sum.Files) > 1 {
		t.row("all", sum.Lines, sum.Sent, sum.Malformed, sum.Blank)
	}
	return t.write(sh.Out)
}
