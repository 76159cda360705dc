package stream

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// trimmed is a task that counts what it is told.
type trimmed struct {
	Task

	trims, sheds int
}

func (s *trimmed) Trim() { s.trims++ }
func (s *trimmed) Shed() { s.sheds++ }

// TestABacklogIsShed: each task is told, once, when a backlog is done, and each second
// to trim.
func TestABacklogIsShed(t *testing.T) {
	s := &Step{parts: map[int32]*part{}}
	var tasks []*trimmed
	for p := range int32(3) {
		task := &trimmed{}
		s.parts[p] = &part{task: task, state: newState(NewMemoryStore(), &wirepb.PartitionMeta{})}
		tasks = append(tasks, task)
	}
	told := func(trims, sheds int) {
		t.Helper()
		for _, task := range tasks {
			require.Equal(t, []int{trims, sheds}, []int{task.trims, task.sheds})
		}
	}
	for range 10 {
		s.backlog.add(backlogRate)
		s.trim()
	}
	told(10, 0)
	for range backlogQuiet - 1 {
		s.trim()
	}
	told(10+backlogQuiet-1, 0)
	s.trim()
	told(10+backlogQuiet, 1)
	for range 100 {
		s.trim()
	}
	told(110+backlogQuiet, 1)
}
