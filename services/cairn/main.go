// Command cairn is all of cairn in one binary: every service, the all-in-one
// `cairn up`, and the tools around them.
package main

import (
	"context"
	"os"

	"github.com/cairnhq/cairn/pkg/local"
	"github.com/cairnhq/cairn/services/cairn/internal/cli"
)

func main() {
	local.RunChildIfAsked() // a local engine runs as a child of this same binary
	os.Exit(cli.Main(context.Background(), os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, os.LookupEnv))
}
