// Command local installs what "cairn up" and the tests run on this machine: the ClickHouse engine and Kafka's
// jars, into the user's cache folder. "make deps" calls it; it does nothing where they are already there.
//
//	go run ./deployments/local clickhouse kafka
package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/cairnhq/cairn/pkg/local"
)

// pom names the jars of the Kafka broker.
//
//go:embed pom.xml
var pom []byte

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stderr)
	stop()
	os.Exit(code)
}

// run installs what the arguments name. It tries all of them and reports each failure in a sentence.
func run(ctx context.Context, names []string, out io.Writer) int {
	code := 0
	for _, name := range names {
		var err error
		switch name {
		case "clickhouse":
			err = local.InstallEngine(ctx, out)
		case "kafka":
			err = local.InstallKafka(ctx, pom, out)
		default:
			err = fmt.Errorf("unknown engine %q: want clickhouse or kafka", name)
		}
		if err != nil {
			_, _ = fmt.Fprintln(out, "deps:", err)
			code = 1
		}
	}
	return code
}
