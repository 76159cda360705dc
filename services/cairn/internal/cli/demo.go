package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairnhq/cairn/pkg/app"
	"github.com/cairnhq/cairn/services/cairn/internal/shop"
	"github.com/cairnhq/cairn/services/cairn/internal/standalone"
)

func newDemo(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use: "demo", Short: "Run a shop's week through everything and print its journey map", Args: exactly(0, ""),
		Long: `Demo brings cairn up in a temporary folder on free ports, sends a made-up week of an
outdoor shop through the collector's HTTP door, and prints what became of it: the
accounting of the events, the journey map, and whether the tables agree with what SQL
computes from the touchpoints. Then it stops and removes the folder.

The shop meets its customers on the web, by email, in its stores and with its
support. For the first half of the week its checkout fails; the map shows it.

The same seed gives the same week. Exit code 1 if an event is missing or verify finds
a difference. Neither cairn.yaml nor the environment change it, only flags.`,
		Example: "  cairn demo\n  cairn demo --customers 500 --output json\n  cairn demo --keep demo-data && cairn up --data demo-data",
		RunE:    sh.runDemo,
	}
	f := cmd.Flags()
	f.Uint64("seed", 5, "of the week")
	f.Int("customers", shop.DefaultCustomers, fmt.Sprintf("of the shop, %d to %d", shop.MinCustomers, shop.MaxCustomers))
	f.String("keep", "", "new or empty folder to keep the data in, for cairn up --data (default: a temporary one)")
	f.String("kafka", "", "local: start a real broker instead of the embedded one")
	setting(f, "collector-addr", "collector.addr")
	setting(f, "console-addr", "console.addr")
	setting(f, "admin-addr", "admin.addr")
	setting(f, "startup-timeout", "startup_timeout")
	for _, addr := range []string{"collector-addr", "console-addr", "admin-addr"} {
		f.Lookup(addr).Usage = "host:port (default: a free port on loopback)"
	}
	f.Lookup("startup-timeout").Usage = "how long to wait until everything is up (default 1m0s)"
	f.String("kafka-port", "0", "port of the broker; 0 picks a free one")
	f.String("clickhouse-port", "0", "port of ClickHouse, native protocol; 0 picks a free one")
	f.String("clickhouse-http-port", "0", "port of ClickHouse, HTTP; 0 picks a free one")
	outputFlag(f)
	return cmd
}

// demo is one run of the command.
type demo struct {
	sh        *shell
	week      shop.Options
	up        *upOptions
	keep      string // "": the folder is removed
	asJSON    bool
	progress  *progress
	writeKeys map[string]string // of each source of the shop
	started   time.Time
}

func (sh *shell) runDemo(cmd *cobra.Command, _ []string) (err error) {
	d := &demo{sh: sh, started: time.Now(), progress: newProgress(sh.Err)}
	if d.asJSON, err = wantsJSON(cmd); err != nil {
		return err
	}
	if err := d.readWeek(cmd); err != nil {
		return err
	}
	if err := d.readUp(cmd); err != nil {
		return err
	}
	remove, err := d.openFolder(cmd)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	defer d.progress.clear()
	return d.run(cmd.Context())
}

// readWeek reads the flags about the week. It ends with the last whole day.
func (d *demo) readWeek(cmd *cobra.Command) (err error) {
	d.week.End = d.started.UTC().Truncate(24 * time.Hour)
	text := cmd.Flag("seed").Value.String()
	if d.week.Seed, err = strconv.ParseUint(text, 10, 64); err != nil {
		return app.UsageErrorf("--seed is %q: want a whole number from 0 on", text)
	}
	text = cmd.Flag("customers").Value.String()
	d.week.Customers, err = strconv.Atoi(text)
	if err != nil || d.week.Customers < shop.MinCustomers || d.week.Customers > shop.MaxCustomers {
		return app.UsageErrorf("--customers is %s: want %d to %d", text, shop.MinCustomers, shop.MaxCustomers)
	}
	return nil
}

// openFolder makes the data folder and returns what removes it again.
func (d *demo) openFolder(cmd *cobra.Command) (remove func() error, err error) {
	if d.keep = cmd.Flag("keep").Value.String(); d.keep == "" {
		if d.up.cfg.Data, err = os.MkdirTemp("", "cairn-demo-"); err != nil {
			return nil, fmt.Errorf("make a temporary folder: %w", err)
		}
		return func() error { return os.RemoveAll(d.up.cfg.Data) }, nil
	}
	if entries, err := os.ReadDir(d.keep); err == nil && len(entries) > 0 {
		return nil, app.UsageErrorf("--keep %s is not empty, and the demo would mix with what is there: name a new folder", d.keep)
	}
	if d.up.cfg.Data, err = filepath.Abs(d.keep); err != nil {
		return nil, err
	}
	return func() error { return nil }, nil
}

// readUp makes the options of cairn up. They come from flags alone, so that a
// demo never writes to the Kafka or the ClickHouse of somebody's configuration.
func (d *demo) readUp(cmd *cobra.Command) error {
	alone := &shell{Streams: d.sh.Streams, lookupEnv: func(string) (string, bool) { return "", false }}
	if !cmd.Flags().Changed("config") {
		if err := cmd.Flags().Set("config", os.DevNull); err != nil {
			return err
		}
	}
	cfg, err := alone.loadConfig(cmd)
	if err != nil {
		return err
	}
	cfg.Model = "" // the shop's
	if !cfg.IsSet("log.level") {
		cfg.Log.Level = "error" // a warning at start is nothing that the demo's reader could act on
	}
	for key, addr := range map[string]*string{
		"collector.addr": &cfg.Collector.Addr, "console.addr": &cfg.Console.Addr, "admin.addr": &cfg.Admin.Addr,
	} {
		if !cfg.IsSet(key) {
			*addr = "127.0.0.1:0"
		}
	}
	d.up = &upOptions{cfg: cfg, kafka: cmd.Flag("kafka").Value.String(), ownClickHouse: true}
	if d.up.kafka != "" && d.up.kafka != standalone.KafkaLocal {
		return app.UsageErrorf("--kafka is %q: the demo runs a broker of its own, the embedded one or, with %q, a real one", d.up.kafka, standalone.KafkaLocal)
	}
	d.makeKeys()
	return d.readPorts(cmd)
}

func (d *demo) readPorts(cmd *cobra.Command) (err error) {
	for flag, into := range map[string]*int{
		"kafka-port": &d.up.kafkaPort, "clickhouse-port": &d.up.clickhousePort, "clickhouse-http-port": &d.up.clickhouseHTTPPort,
	} {
		if *into, err = strconv.Atoi(cmd.Flag(flag).Value.String()); err != nil || *into < 0 || *into > 65535 {
			return app.UsageErrorf("--%s is %s: want a port from 0 to 65535", flag, cmd.Flag(flag).Value)
		}
	}
	return nil
}

// run brings everything up, tells the story, and brings everything down.
func (d *demo) run(ctx context.Context) error {
	// The story ends at the signal that ends what it runs on.
	story, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	running, finish := context.WithCancel(ctx)
	defer finish()
	told := make(chan error, 1)
	var begun atomic.Bool
	d.progress.say("starting")
	err := d.sh.up(running, d.up, func(b *banner) error {
		begun.Store(true)
		go func() {
			told <- d.tell(story, b)
			finish()
		}()
		return nil
	})
	interrupted := story.Err() != nil // before stop, which looks the same
	stop()
	if begun.Load() {
		if e := <-told; !interrupted {
			err = errors.Join(err, e)
		}
	}
	if interrupted && err == nil {
		err = errors.New("stopped before the demo was done")
	}
	return err
}
