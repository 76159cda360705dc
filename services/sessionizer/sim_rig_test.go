//go:build synctests

package sessionizer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/model"
	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/services/sessionizer"
)

const simNamespace = "sim"

// envSeed is added to the seed of every simulation, so that a run each night with
// another value sees other histories and schedules.
const envSeed = "CAIRN_SIM_SEED"

// sim is a Kafka, a network and machines in one bubble of virtual time.
type sim struct {
	t       *testing.T
	seed    int
	net     *simNet
	fake    *kfake.Cluster
	brokers []string
	model   *journey.Model
	self    *machine
	cl      *kgo.Client // of the test itself: no trouble strikes it
	history simHistory
	sent    int // records of the history
	runs    []*run
	busy    atomic.Bool // the test itself is at work: no fault of the broker strikes
}

// simOptions change what a simulation is made of. The zero value is one broker
// of the newest Kafka.
type simOptions struct {
	seed     int
	brokers  int
	versions *kversion.Versions // nil: all that kfake knows
}

// simulate runs a script in a bubble: an hour of waiting in it takes no time.
// After the script, everything committed must be the oracle's answer.
func simulate(t *testing.T, o simOptions, script func(s *sim)) {
	t.Helper()
	m, err := model.Builtin("shop")
	require.NoError(t, err)
	if text := os.Getenv(envSeed); text != "" {
		more, err := strconv.Atoi(text)
		require.NoError(t, err, envSeed)
		o.seed += more
	}
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, o, m)
		t.Cleanup(func() {
			for _, r := range s.runs {
				r.end()
			}
		})
		script(s)
		s.finish()
	})
}

func newSim(t *testing.T, o simOptions, m *journey.Model) *sim {
	t.Helper()
	s := &sim{t: t, seed: o.seed, net: newSimNet(), model: m, history: newHistory(t, m, o.seed, time.Now())}
	ports := []int{9092, 9093, 9094}[:max(o.brokers, 1)]
	opts := []kfake.Opt{kfake.NumBrokers(len(ports)), kfake.Ports(ports...), kfake.ListenFn(s.net.virtual.Listen)}
	if o.versions != nil {
		opts = append(opts, kfake.MaxVersions(o.versions))
	}
	var err error
	s.fake, err = kfake.NewCluster(opts...)
	require.NoError(t, err)
	t.Cleanup(s.fake.Close)
	s.brokers = s.fake.ListenAddrs()
	s.self = s.net.machine(observer)
	s.cl, err = stream.NewClient(s.cluster(s.self.dial), observer, nil, nil)
	require.NoError(t, err)
	t.Cleanup(s.cl.Close)
	require.NoError(t, stream.EnsureTopics(t.Context(), s.cl, simNamespace, stream.TopicOptions{Partitions: 3, Replication: 1, Embedded: true}))
	return s
}

func (s *sim) cluster(dial stream.Dial) stream.Cluster {
	return stream.Cluster{Brokers: s.brokers}.Over(dial)
}

// run is a sessionizer on a machine.
type run struct {
	s       *sim
	machine *machine
	cancel  context.CancelFunc
	done    chan struct{}
	err     error // valid after done
	once    bool  // may fail, and is not started again; set before it can
}

// start runs a sessionizer on a machine of its own. The id is the instance's:
// the same one after a crash is its next incarnation.
func (s *sim) start(id string, change ...func(*sessionizer.Options)) *run {
	s.t.Helper()
	log := zap.NewNop()
	if os.Getenv("CAIRN_TEST_LOG") != "" {
		log = zaptest.NewLogger(s.t).Named(id)
	}
	m := s.net.machine(id)
	o := sessionizer.Options{
		Namespace: simNamespace, Cluster: s.cluster(m.dial), Model: s.model, InstanceID: id, MaxRestarts: 20, Log: log,
	}
	if s.seed%2 == 0 {
		sessionizer.SmallCache(&o)
	}
	for _, c := range change {
		c(&o)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &run{s: s, machine: m, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.err = r.supervise(ctx, o)
	}()
	s.runs = append(s.runs, r)
	return r
}

// maxProcesses is how often a machine starts its sessionizer anew.
const maxProcesses = 5

// supervise runs a sessionizer as an init system does: one that fails is started
// again. State that does not fit the offsets is never a matter of trying again.
func (r *run) supervise(ctx context.Context, o sessionizer.Options) error {
	for n := 1; ; n++ {
		service, err := sessionizer.New(ctx, o)
		if err != nil {
			return err
		}
		err = service.Run(ctx)
		var mismatch *stream.MismatchError
		if err == nil || ctx.Err() != nil || n == maxProcesses || r.once || errors.As(err, &mismatch) {
			return err
		}
		r.s.t.Logf("the sessionizer failed and starts again: %v", err)
		time.Sleep(time.Second)
	}
}

// stop ends a sessionizer in good order.
func (r *run) stop() {
	r.s.t.Helper()
	r.cancel()
	<-r.done
	require.NoError(r.s.t, r.err)
}

// crash takes the machine off the network, then ends what is left of it: nobody
// hears of that.
func (r *run) crash() {
	r.machine.kill()
	r.cancel()
}

// end waits until nothing of the run is left.
func (r *run) end() {
	r.cancel()
	<-r.done
}

// produce writes the next part of the history, in order: n records, or all that
// is left.
func (s *sim) produce(n int) {
	s.t.Helper()
	s.busy.Store(true)
	defer s.busy.Store(false)
	recs := s.history.records[s.sent:min(s.sent+n, len(s.history.records))]
	s.sent += len(recs)
	for _, r := range recs {
		r.Topic = stream.Qualify(simNamespace, stream.TopicRaw)
	}
	require.NoError(s.t, s.cl.ProduceSync(s.t.Context(), recs...).FirstErr())
}

// part is a fraction of the history.
func (s *sim) part(of int) int { return (len(s.history.records) + of - 1) / of }

// patience is how long, in virtual time, everything may take to settle: longer
// than all timeouts together.
const patience = 10 * time.Minute

// settle waits until the steps have committed everything there is, and no
// transaction is open.
func (s *sim) settle() {
	s.t.Helper()
	last, moved := "", time.Now()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(500 * time.Millisecond) {
		if last = s.behind(); last == "" {
			return
		}
		for _, r := range s.runs {
			select {
			case <-r.done:
				require.True(s.t, r.once || r.err == nil, "a sessionizer gave up: %v", r.err)
			default:
			}
		}
		if !s.rebalancing() {
			moved = time.Now()
		} else if time.Since(moved) > rebalanceBound {
			s.startAnew()
			moved = time.Now()
		}
	}
	require.Empty(s.t, last, "not worked off")
}

// rebalanceBound is how long a rebalance lasts at most. In kfake it can last for
// ever: a member that leaves while it waits for its assignment is counted twice, so
// that no rebalance is complete before its timeout; each member that joins begins
// that anew; and clients give up and join again at different times. Kafka has
// neither fault.
const rebalanceBound = 80 * time.Second

// rebalancing is true while a group waits for members.
func (s *sim) rebalancing() bool {
	for _, group := range []string{stream.GroupDevice, stream.GroupProfile} {
		info := s.fake.GroupInfo(stream.Qualify(simNamespace, group))
		if info != nil && info.State == "PreparingRebalance" {
			return true
		}
	}
	return false
}

// startAnew stops all sessionizers and starts them again, all at one time.
func (s *sim) startAnew() {
	s.t.Helper()
	s.t.Log("kfake rebalances for ever: all start anew")
	var ids []string
	for _, r := range s.runs {
		select {
		case <-r.done:
			continue
		default:
		}
		r.stop()
		ids = append(ids, r.machine.name)
	}
	for _, id := range ids {
		s.start(id)
	}
}

// awaitStable waits until no group rebalances, for a while. kfake miscounts members
// that leave while they wait for their assignment, and never gives up those that
// die while they join.
func (s *sim) awaitStable() {
	for range 1000 {
		stable := true
		for _, group := range []string{stream.GroupDevice, stream.GroupProfile} {
			info := s.fake.GroupInfo(stream.Qualify(simNamespace, group))
			stable = stable && (info == nil || info.State == "Stable" || info.State == "Empty")
		}
		if stable {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// behind says what is not worked off yet, "" for nothing. The device step is
// looked at first: once it is through, nothing more comes to the profile step
// but what that sends itself.
func (s *sim) behind() string {
	adm := kadm.NewClient(s.cl)
	for _, step := range []struct{ group, topic string }{
		{stream.GroupDevice, stream.TopicRaw}, {stream.GroupProfile, stream.TopicTouchpoints},
	} {
		topic := stream.Qualify(simNamespace, step.topic)
		stable, err := adm.ListCommittedOffsets(s.t.Context(), topic)
		require.NoError(s.t, err)
		ends, err := adm.ListEndOffsets(s.t.Context(), topic)
		require.NoError(s.t, err)
		data, err := stream.DataEnds(s.t.Context(), s.cl, topic)
		require.NoError(s.t, err)
		offsets, err := adm.FetchOffsets(s.t.Context(), stream.Qualify(simNamespace, step.group))
		if err != nil {
			return step.group + ": " + err.Error()
		}
		lso := func(p int32) int64 { return stable[topic][p].Offset }
		for p, end := range data[topic] {
			if lso(p) != ends[topic][p].Offset {
				return fmt.Sprintf("%s/%d: a transaction is open", step.topic, p)
			}
			if at, _ := offsets.Lookup(topic, p); at.At < end {
				return fmt.Sprintf("%s has read %s/%d up to %d of %d, the last stable offset is %d", step.group, step.topic, p, at.At, end, lso(p))
			}
		}
	}
	return ""
}

// read returns the committed records of a topic.
func (s *sim) read(name string) []*kgo.Record {
	s.t.Helper()
	r := &rig{s.t, s.cluster(s.self.dial), simNamespace, s.cl}
	return r.derived(name)
}
