package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the linker: -ldflags "-X .../internal/cli.version=v1.2.3".
var version string

// buildInfo is what `cairn version` prints.
type buildInfo struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"` // of the commit
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func buildVersion() buildInfo {
	b := buildInfo{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	if b.Version == "" {
		b.Version = info.Main.Version
	}
	return b
}

func newVersion(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use: "version", Short: "Print the version", Args: exactly(0, ""),
		Example: "  cairn version --output json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := wantsJSON(cmd)
			if err != nil {
				return err
			}
			b := buildVersion()
			if asJSON {
				return printJSON(sh.Out, b)
			}
			_, err = fmt.Fprintf(sh.Out, "cairn %s %s %s\n", b.Version, b.Go, b.Platform)
			return err
		},
	}
	outputFlag(cmd.Flags())
	return cmd
}
