//go:build linux

// Command chaos runs three sessionizers on a real Kafka while records flow, and
// kills, stops and restarts what it can: sessionizers, the broker, the sink and
// ClickHouse. Then it reads back what is committed and holds it against a batch
// computation over the same records, which it makes itself.
//
//	go run ./deployments/local/chaos -cairn bin/cairn [-events N] [-seed N] [-peers DIR]
//
// The records are those of the peer programs' generator where -peers has one,
// else of a generator of its own. The exit code is 1 if anything differs; then
// the folder with all logs and with Kafka's data stays, and is named.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/cairnhq/cairn/pkg/local"
)

func main() {
	local.RunChildIfAsked() // the ClickHouse engine runs as a child of this same binary
	debug.SetGCPercent(40)  // the oracle's lists live long; they need not be there twice
	o := options{}
	flag.StringVar(&o.cairn, "cairn", "bin/cairn", "the binary to torment")
	flag.StringVar(&o.peers, "peers", "", "`folder` of the peer programs, whose generator writes the records; without it cairn's own does")
	flag.IntVar(&o.events, "events", 1_000_000, "records to write")
	flag.Uint64Var(&o.seed, "seed", 0, "of the records and of what is done when (0: a new one)")
	flag.DurationVar(&o.flow, "flow", 0, "how long the records take to be written (0: 5,000 a second, at least a minute)")
	flag.BoolVar(&o.warehouse, "clickhouse", true, "run the sink on the ClickHouse engine, too, and cairn verify at the end")
	flag.DurationVar(&o.bound, "bound", time.Hour, "give up after this long")
	flag.Parse()
	if o.seed == 0 {
		o.seed = uint64(time.Now().UnixNano()) % 1_000_000
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	ctx, cancel := context.WithTimeout(ctx, o.bound)
	err := chaos(ctx, o)
	cancel()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}
