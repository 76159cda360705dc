package cli

import (
	"fmt"

	"github.com/cairnhq/cairn/services/monitor"
)

func (sh *shell) printLag(snap *monitor.Snapshot, asJSON bool) error {
	if asJSON {
		if snap.Partitions == nil {
			snap.Partitions = []monitor.PartitionLag{} // [] and not null
		}
		return printJSON(sh.Out, snap.Partitions)
	}
	if len(snap.Partitions) == 0 {
		_, err := fmt.Fprintln(sh.Out, "this namespace has no topics here: start cairn there first, or name another one with --namespace")
		return err
	}
	t := newTable("group", "topic", "partition", "lag", "lag seconds", "status", "reason")
	for _, p := range snap.Partitions {
		t.row(p.Group, p.Topic, p.Partition, orDash("%d", p.Lag), orDash("%.1f", p.Seconds), p.Status, p.Reason)
	}
	return t.write(sh.Out)
}

// orDash formats what v points to, or a dash for nothing.
func orDash[T any](format string, v *T) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf(format, *v)
}
