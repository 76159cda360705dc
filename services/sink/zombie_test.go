package sink

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/cairnhq/cairn/pkg/stream"
)

// child is a sink in a process of its own that stops at each step of a flush.
type child struct {
	t   *testing.T
	cmd *exec.Cmd
	out *bufio.Reader
	in  io.Writer
}

func (b *bench) child(t *testing.T) *child {
	t.Helper()
	_, dsn := newProxy(t, b.dsn)
	options, err := json.Marshal(childOptions{Namespace: b.ns, DSN: dsn, Brokers: b.cluster.Brokers, Steps: true, MaxRows: 100_000})
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), envChild+"="+string(options))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // by the test, most often
		_ = cmd.Wait()
	})
	return &child{t, cmd, bufio.NewReader(out), in}
}

// reach lets the child go on until it is at a step.
func (c *child) reach(step string) {
	c.t.Helper()
	for {
		line, err := c.out.ReadString('\n')
		require.NoError(c.t, err, "the child has ended")
		if line == step+"\n" {
			return
		}
		c.proceed()
	}
}

func (c *child) proceed() {
	c.t.Helper()
	_, err := fmt.Fprintln(c.in)
	require.NoError(c.t, err)
}

// committed is the group's offset of each partition of touchpoints.
func (b *bench) committed() map[int32]int64 {
	b.t.Helper()
	topic := stream.Qualify(b.ns, stream.TopicTouchpoints)
	all, err := kadm.NewClient(b.client).FetchOffsetsForTopics(b.t.Context(), stream.Qualify(b.ns, stream.GroupSink), topic)
	require.NoError(b.t, err)
	offsets := map[int32]int64{}
	for id, o := range all[topic] {
		offsets[id] = o.At
	}
	return offsets
}

// A sink is killed when its rows are in ClickHouse and its offsets are not
// committed: the next one inserts them again, and nobody sees it.
func TestKilledBetweenInsertAndCommit(t *testing.T) {
	b := newBench(t)
	b.touchpoints(0, 500)
	c := b.child(t)
	for c.reach(stepCommit); b.query("toString(count())", ".touchpoints")[0] == "0"; c.reach(stepCommit) {
		c.proceed() // a flush of nothing but markers
	}
	require.NoError(t, c.cmd.Process.Kill())
	for _, at := range b.committed() {
		require.LessOrEqual(t, at, int64(0), "and not committed")
	}
	b.leave()
	b.start(nil)
	b.caughtUp()
	require.Equal(t, []string{"500 500"}, b.query("toString(count()), toString(uniqExact(message_id))", "_bi.v_touchpoints"))
	require.NotEqual(t, []string{"500"}, b.query("toString(count())", ".touchpoints"), "rows were written twice, or the test shows nothing")
}

// A zombie: a sink that was stopped with rows in its hands, taken for dead and
// replaced, wakes up, inserts them and tries to commit. Its rows change nothing, and
// the offsets do not go back.
func TestZombie(t *testing.T) {
	for _, step := range []string{stepInsert, stepCommit} {
		t.Run("at "+step, func(t *testing.T) {
			b := newBench(t)
			b.touchpoints(0, 500)
			c := b.child(t)
			for c.reach(step); step == stepCommit && b.query("toString(count())", ".touchpoints")[0] == "0"; c.reach(step) {
				c.proceed() // a flush of nothing but markers
			}
			require.NoError(t, c.cmd.Process.Signal(syscall.SIGSTOP))
			b.leave()

			b.start(nil)
			b.touchpoints(500, 1000)
			b.caughtUp()
			before, views := b.committed(), b.views()
			require.Len(t, views["v_touchpoints"], 1000)

			require.NoError(t, c.cmd.Process.Signal(syscall.SIGCONT))
			c.proceed()
			c.reach(stepCommitted)
			require.NoError(t, c.cmd.Process.Kill())
			after := b.committed()
			for id, at := range before {
				require.GreaterOrEqual(t, after[id], at, "offset of partition %d", id)
			}
			require.Equal(t, views, b.views())
		})
	}
}
