package sink

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/cairnhq/cairn/pkg/stream"
)

// envChild holds the childOptions of a test binary that is to run a sink.
const envChild = "CAIRN_SINK_TEST_CHILD"

type childOptions struct {
	Namespace, DSN string
	Brokers        []string
	Steps          bool // tell each step of a flush on standard output, and wait for a line
	MaxRows        int
}

// runChild runs a sink until it is killed.
func runChild() int {
	var c childOptions
	if err := json.Unmarshal([]byte(os.Getenv(envChild)), &c); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	ctx := context.Background()
	s, err := New(ctx, Options{
		Namespace: c.Namespace, DSN: c.DSN, Cluster: stream.Cluster{Brokers: c.Brokers}, MaxRows: c.MaxRows, FlushInterval: 20 * time.Millisecond,
	})
	if err == nil {
		if c.Steps {
			in := bufio.NewReader(os.Stdin)
			s.atStep = func(name string) {
				fmt.Println(name)
				_, _ = in.ReadString('\n')
			}
		}
		err = s.Run(ctx)
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// A sink that is killed in the middle of a stream, again and again: its successors
// lose nothing and double nothing.
func TestKills(t *testing.T) {
	b := newBench(t)
	const total, kills = 40_000, 4
	b.touchpoints(0, total)
	_, dsn := newProxy(t, b.dsn)
	options, err := json.Marshal(childOptions{Namespace: b.ns, DSN: dsn, Brokers: b.cluster.Brokers, MaxRows: 200})
	require.NoError(t, err)
	stored := func() (n uint64) {
		// Fails until the child has made the table.
		_ = b.conn.QueryRow(t.Context(), "SELECT uniqExact(message_id) FROM "+b.ns+".touchpoints").Scan(&n)
		return n
	}
	for i := range kills {
		before := stored()
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), envChild+"="+string(options))
		cmd.Stderr = os.Stderr
		require.NoError(t, cmd.Start())
		more := uint64(100 + 300*i)
		grew := func() bool { return stored() >= min(before+more, total) }
		ok := pollUntil(grew)
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait() // killed
		require.True(t, ok, "the child stores nothing: %d rows", before)
		b.leave()
	}
	require.Less(t, stored(), uint64(total), "the stream was over before the last kill: the test shows nothing")
	b.start(nil)
	b.caughtUp()
	require.Equal(t, []string{fmt.Sprintf("%d %d", total, total)}, b.query("toString(count()), toString(uniqExact(message_id))", "_bi.v_touchpoints"))
}

func pollUntil(done func() bool) bool {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if done() {
			return true
		}
	}
	return false
}

// leave removes the killed member from the group, which would else wait for its
// session to time out.
func (b *bench) leave() {
	b.t.Helper()
	adm := kadm.NewClient(b.client)
	group := stream.Qualify(b.ns, stream.GroupSink)
	described, err := adm.DescribeGroups(b.t.Context(), group)
	require.NoError(b.t, err)
	req := kmsg.NewLeaveGroupRequest()
	req.Group = group
	for _, m := range described[group].Members {
		member := kmsg.NewLeaveGroupRequestMember()
		member.MemberID = m.MemberID
		req.Members = append(req.Members, member)
	}
	_, err = req.RequestWith(b.t.Context(), b.client)
	require.NoError(b.t, err)
}
