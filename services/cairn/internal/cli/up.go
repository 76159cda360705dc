package cli

import (
	"context"
	"errors"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/cairnhq/cairn/pkg/app"
	"github.com/cairnhq/cairn/services/cairn/internal/standalone"
)

func newUp(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use: "up", Short: "Run everything on this machine", Args: exactly(0, ""),
		Long: `Up runs the collector, the sessionizer, the sink, the monitor and the console in one
process, with a broker and a ClickHouse of its own unless told where others are.
Everything it keeps is in the data folder: started again on it, it goes on. It
listens on loopback only, unless an address says otherwise.

The embedded broker survives kill -9, not a power cut; --kafka local runs the real
one, --kafka HOST:PORT uses yours.`,
		Example: `  cairn up
  cairn up --data /var/lib/cairn --kafka broker:9092 --clickhouse clickhouse://user:pass@ch:9000/cairn`,
		RunE: sh.runUp,
	}
	f := cmd.Flags()
	setting(f, "data", "data")
	f.String("kafka", "", "host:port,host:port of brokers, or local to start a real one (default: the embedded broker)")
	setting(f, "clickhouse", "clickhouse.dsn")
	f.Lookup("clickhouse").Usage = "DSN of a ClickHouse (default: an engine of its own)"
	setting(f, "collector-addr", "collector.addr")
	setting(f, "console-addr", "console.addr")
	setting(f, "model", "model")
	setting(f, "plan", "plan")
	setting(f, "state-cache-bytes", "sessionizer.state_cache_bytes")
	serviceFlags(f)
	f.String("kafka-port", "19092", "port of its own broker; 0 picks a free one")
	f.String("clickhouse-port", "19000", "port of its own ClickHouse, native protocol; 0 picks a free one")
	f.String("clickhouse-http-port", "18123", "port of its own ClickHouse, HTTP; 0 picks a free one")
	f.String("write-key", "", "key that applications send touchpoints with (default: generated and kept in the data folder)")
	outputFlag(f)
	return cmd
}

func (sh *shell) runUp(cmd *cobra.Command, _ []string) error {
	asJSON, err := wantsJSON(cmd)
	if err != nil {
		return err
	}
	o, err := sh.upOptions(cmd)
	if err != nil {
		return err
	}
	return sh.up(cmd.Context(), o, func(b *banner) error { return b.print(sh.Out, asJSON) })
}

// upOptions reads the flags.
func (sh *shell) upOptions(cmd *cobra.Command) (*upOptions, error) {
	cfg, err := sh.loadConfig(cmd)
	if err != nil {
		return nil, err
	}
	o := &upOptions{cfg: cfg, writeKey: cmd.Flag("write-key").Value.String(), kafka: cmd.Flag("kafka").Value.String()}
	switch {
	case o.kafka == "" && cfg.IsSet("kafka.brokers"):
		o.kafka = strings.Join(cfg.Kafka.Brokers, ",")
	case o.kafka != "" && o.kafka != standalone.KafkaLocal:
		cfg.Kafka.Brokers = strings.Split(o.kafka, ",")
	}
	o.ownClickHouse = !cfg.IsSet("clickhouse.dsn")
	for flag, into := range map[string]*int{
		"kafka-port": &o.kafkaPort, "clickhouse-port": &o.clickhousePort, "clickhouse-http-port": &o.clickhouseHTTPPort,
	} {
		if *into, err = strconv.Atoi(cmd.Flag(flag).Value.String()); err != nil || *into < 0 || *into > 65535 {
			return nil, app.UsageErrorf("--%s is %q: want a port from 0 to 65535", flag, cmd.Flag(flag).Value)
		}
	}
	return o, nil
}

// up opens the machine, runs the services on it until they end, and closes it.
// ready is called once, when everything is.
func (sh *shell) up(ctx context.Context, o *upOptions, ready func(*banner) error) error {
	starting, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	u, err := sh.openUp(starting, o)
	if err != nil {
		if starting.Err() != nil && ctx.Err() == nil {
			return nil // told to stop before it was up
		}
		return err
	}
	stop()
	return errors.Join(u.run(ctx, ready), u.machine.Close())
}
