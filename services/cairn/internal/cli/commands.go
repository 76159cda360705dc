package cli

import "github.com/spf13/cobra"

// commands lists them in the order of the help.
func commands(sh *shell) []*cobra.Command {
	return []*cobra.Command{
		newUp(sh),
		newDemo(sh),
		newCollector(sh),
		newSessionizer(sh),
		newSink(sh),
		newMonitor(sh),
		newConsole(sh),
		newMigrate(sh),
		newRoles(sh),
		newImport(sh),
		newReplay(sh),
		newForget(sh),
		newExport(sh),
		newVerify(sh),
		newTail(sh),
		newLag(sh),
		newKey(sh),
		newConfig(sh),
		newHealthcheck(),
		newVersion(sh),
	}
}
