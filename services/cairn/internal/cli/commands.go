package cli

import "github.com/spf13/cobra"

// commands lists them in the order of the help.
func commands(sh *shell) []*cobra.Command {
	return []*cobra.Command{
		newUp(sh),
		newImport(sh),
		newVersion(sh),
	}
}
