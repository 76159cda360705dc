package cli

import (
	"fmt"
	"strconv"

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
	t := newTable("group", "topic", "partitions", "lag", "lag seconds", "status", "reason")
	for i := 0; i < len(snap.Partitions); {
		j := i + 1
		for j < len(snap.Partitions) && sameLag(&snap.Partitions[i], &snap.Partitions[j]) {
			j++
		}
		p, partitions := &snap.Partitions[i], strconv.Itoa(int(snap.Partitions[i].Partition))
		if j-i > 1 {
			partitions += fmt.Sprintf("-%d", snap.Partitions[j-1].Partition)
		}
		t.row(p.Group, p.Topic, partitions, orDash("%d", p.Lag), orDash("%.1f", p.Seconds), p.Status, p.Reason)
		i = j
	}
	return t.write(sh.Out)
}

// sameLag says whether two neighbours share a line of the table: both say the same.
func sameLag(a, b *monitor.PartitionLag) bool {
	return a.Group == b.Group && a.Topic == b.Topic && a.Status == b.Status && a.Reason == b.Reason &&
		orDash("%d", a.Lag) == orDash("%d", b.Lag) && orDash("%.1f", a.Seconds) == orDash("%.1f", b.Seconds)
}

// orDash formats what v points to, or a dash for nothing.
func orDash[T any](format string, v *T) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf(format, *v)
}
