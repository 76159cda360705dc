package cli

import (
	"github.com/spf13/cobra"

	"github.com/cairnhq/cairn/pkg/app"
)

func newImport(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import FILE...",
		Short: "Import access logs or files of events",
		Long: `Import reads files line by line and sends every line as a touchpoint.

  access   access logs in the common or combined format of Apache and nginx; the
           visitor is the address and the user agent together
  ndjson   one event of the Segment spec a line

Files may be gzipped; - is standard input. Importing is idempotent: the message
id is a hash of the line and of its how-many-th occurrence in the input, so an
import that was stopped is resumed by running it again. With --kafka a line that
cannot be read is sent whole and ends in touchpoints.rejected; a collector takes
JSON only, so with --collector such lines are counted here and stay in the file.`,
		Example: `  cairn import access.log --kafka 127.0.0.1:19092
  zcat logs/*.gz | cairn import - --source shop --collector http://127.0.0.1:8080 --write-key KEY`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return app.UsageErrorf("cairn import wants at least one file, or - for standard input: see 'cairn import --help'")
			}
			return nil
		},
		RunE: sh.runImport,
	}
	f := cmd.Flags()
	kafkaFlags(f)
	f.String("collector", "", "send to the collector at this URL instead of Kafka")
	f.String("write-key", "", "write key for the collector")
	f.String("format", "auto", "auto, access or ndjson")
	f.String("source", "", "source of the touchpoints (default: each file's name)")
	f.String("site", "", "address put before the paths of access logs, as in https://shop.example")
	outputFlag(f)
	return cmd
}
