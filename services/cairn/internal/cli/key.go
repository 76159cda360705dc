package cli

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cairnhq/cairn/pkg/app"
	"github.com/cairnhq/cairn/services/collector"
)

// keyBytes of chance are in a write key.
const keyBytes = 24

// newKeyResult is what `cairn key new` prints.
type newKeyResult struct {
	Key    string `json:"key"`
	Hash   string `json:"hash"`
	Source string `json:"source"`
}

func newKey(sh *shell) *cobra.Command {
	cmd := parent(&cobra.Command{
		Use: "key", Short: "Make write keys for the collector",
		Example: "  cairn key new --source shop",
	})
	cmd.AddCommand(newKeyNew(sh))
	return cmd
}

func newKeyNew(sh *shell) *cobra.Command {
	var source string
	cmd := &cobra.Command{
		Use: "new", Short: "Print a new write key and its hash", Args: exactly(0, ""),
		Long: `New prints a random write key, which goes into the SDK, and its hash, which goes into the file
that collector.keys_file names, or as sha256:HEX:SOURCE into collector.write_keys. The key itself is kept nowhere.`,
		Example: "  cairn key new --source shop",
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := wantsJSON(cmd)
			if err != nil {
				return err
			}
			if source == "" || strings.ContainsAny(source, ",: \t\n") {
				return app.UsageErrorf("--source is %q: want a name without commas, colons and blanks", source)
			}
			var raw [keyBytes]byte
			if _, err := rand.Read(raw[:]); err != nil {
				return fmt.Errorf("read the system's random numbers: %w", err)
			}
			r := newKeyResult{Key: hex.EncodeToString(raw[:]), Source: source}
			r.Hash = collector.HashKey(r.Key)
			if asJSON {
				return printJSON(sh.Out, &r)
			}
			_, err = fmt.Fprintf(sh.Out, `write key for the SDK, shown only now:
  %s
in the file of collector.keys_file:
  sources:
    - source: %s
      keys:
        - %s
or in collector.write_keys:
  %s:%s
`, r.Key, r.Source, r.Hash, r.Hash, r.Source)
			return err
		},
	}
	cmd.Flags().StringVar(&source, "source", defaultSource, "source that the key writes as")
	outputFlag(cmd.Flags())
	return cmd
}
