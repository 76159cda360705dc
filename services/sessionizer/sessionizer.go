// Package sessionizer runs the two steps that turn raw touchpoints into
// journeys: the device step (touchpoints.raw -> touchpoints, sessions,
// identities) and the profile step (touchpoints -> journeys, transitions). Each
// is a pkg/stream step: exactly once, with state per input partition.
//
// Delivery: outputs, state and input offsets are one Kafka transaction, so
// readers of committed records see every effect once, whatever crashes.
// Back pressure: a step reads no further than it commits.
package sessionizer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/cairnhq/cairn/pkg/enrich"
	"github.com/cairnhq/cairn/pkg/enrich/plan"
	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire"
)

// Options says which steps to run, and how.
type Options struct {
	Namespace  string
	Cluster    stream.Cluster
	Model      *journey.Model
	InstanceID string   // stable over restarts, unique among running instances
	Steps      []string // stream.GroupDevice, stream.GroupProfile; empty: both
	Epoch      uint32   // rebuild epoch of state that is made anew, if no control record says another
	Secret     []byte   // keys the hashes of emails and phone numbers; empty: not hashed

	Enrich *enrich.Rules // by which touchpoints are enriched; nil: the built-in ones

	Plan *plan.Plan // against which touchpoints are checked; nil: none

	StateDir   string // folder for the state, a cache of the changelogs; empty: in memory
	StateCache int64  // bytes of memory for each step's state; 0: stream.DefaultStateCache

	CommitInterval time.Duration // default 100 ms
	MaxRestarts    int           // of a failed step in a row; 0: a failure ends Run
	Log            *zap.Logger
	Registerer     prometheus.Registerer // may be nil

	cacheBytes int // of a generation of decoded states, for tests; 0: the constant's

	floor    uint32         // epoch of the control record: what is of a lower one is not read
	erasures []wire.Erasure // whose events are held back, as of the start

	from int64 // its beginning by arrival: minutes before are accounted for already
}

// Sessionizer is the service.
type Sessionizer struct {
	o     Options
	met   *metrics
	ready map[string]*atomic.Pointer[stream.Step]
}

// New checks the options. The topics must exist when Run is called.
func New(_ context.Context, o Options) (*Sessionizer, error) {
	if o.Model == nil {
		return nil, errors.New("sessionizer: no journey model")
	}
	if o.InstanceID == "" {
		return nil, errors.New("sessionizer: no instance id")
	}
	if len(o.Steps) == 0 {
		o.Steps = []string{stream.GroupDevice, stream.GroupProfile}
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Enrich == nil {
		o.Enrich = enrich.Builtin()
	}
	s := &Sessionizer{o: o, met: newMetrics(o.Registerer), ready: map[string]*atomic.Pointer[stream.Step]{}}
	for _, name := range o.Steps {
		if !slices.Contains([]string{stream.GroupDevice, stream.GroupProfile}, name) {
			return nil, fmt.Errorf("sessionizer: step %q is neither %s nor %s", name, stream.GroupDevice, stream.GroupProfile)
		}
		s.ready[name] = &atomic.Pointer[stream.Step]{}
	}
	return s, nil
}

// Ready is nil once every step has its partitions and their state.
func (s *Sessionizer) Ready() error {
	for _, name := range s.o.Steps {
		step := s.ready[name].Load()
		if step == nil {
			return fmt.Errorf("%s step: starting", name)
		}
		if err := step.Ready(); err != nil {
			return err
		}
	}
	return nil
}

// Run processes until ctx ends, then commits, leaves the groups and returns nil.
func (s *Sessionizer) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, name := range s.o.Steps {
		g.Go(func() error { return s.supervise(ctx, name) })
	}
	return g.Wait()
}

// prepare follows the namespace's control record and returns the partition count of
// touchpoints.raw.
func (s *Sessionizer) prepare(ctx context.Context) (Options, int, error) {
	o := s.o
	o.from = stream.FromStart
	cl, err := stream.NewClient(s.o.Cluster, "sessionizer", s.o.Log, nil)
	if err != nil {
		return o, 0, err
	}
	defer cl.Close()
	topic := stream.Qualify(s.o.Namespace, stream.TopicRaw)
	details, err := kadm.NewClient(cl).ListTopics(ctx, topic)
	if err != nil {
		return o, 0, fmt.Errorf("describe %s: %w", topic, err)
	}
	if d := details[topic]; d.Err != nil || len(d.Partitions) == 0 {
		return o, 0, fmt.Errorf("topic %s: %w; create the topics first", topic, errors.Join(d.Err, errors.New("it has no partitions")))
	}
	c, ok, err := stream.CurrentEpoch(ctx, cl, s.o.Namespace)
	if err == nil && ok {
		err = o.obey(&c)
	}
	if err == nil {
		// After the epoch: what is asked for later comes as a record of the input.
		err = o.holdSecret(ctx, cl)
	}
	return o, len(details[topic].Partitions), err
}

// steady is how long a step must run for its earlier failures to be forgotten.
const steady = time.Minute

// supervise runs a step and, if restarts are allowed, makes it anew after a
// failure: its state comes back from the changelog, so nothing is lost or doubled.
func (s *Sessionizer) supervise(ctx context.Context, name string) error {
	for failures := 0; ; {
		started := time.Now()
		err := s.runStep(ctx, name)
		if err == nil || ctx.Err() != nil {
			return nil //nolint:nilerr // ctx ended: the step was told to stop, and what that broke off is no failure
		}
		if time.Since(started) > steady {
			failures = 0
		}
		if failures++; failures > s.o.MaxRestarts || hopeless(err) {
			return err
		}
		s.o.Log.Warn("step failed, starting it anew", zap.String("step", name), zap.Int("failures", failures), zap.Error(err))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Duration(min(failures, 10)) * 200 * time.Millisecond):
		}
	}
}

// hopeless errors come again with every start.
func hopeless(err error) bool {
	var mismatch *stream.MismatchError
	var model *ModelError
	var epoch *EpochError
	var secret *SecretError
	return errors.As(err, &mismatch) || errors.As(err, &model) || errors.As(err, &epoch) || errors.As(err, &secret)
}

func (s *Sessionizer) runStep(ctx context.Context, name string) error {
	so, partitions, err := s.prepare(ctx)
	if err != nil {
		return err
	}
	o := stream.StepOptions{
		Cluster: so.Cluster, Namespace: so.Namespace, Name: name, InstanceID: so.InstanceID,
		Epoch: so.Epoch, CommitInterval: so.CommitInterval, Log: so.Log, Registerer: so.Registerer,
		StateDir: so.StateDir, StateCache: so.StateCache,
	}
	switch name {
	case stream.GroupDevice:
		o.Input = stream.TopicRaw
		o.NewTask = func(p int32, st *stream.State) (stream.Task, error) {
			if err := s.holdEpoch(ctx, st, &so); err != nil {
				return nil, err
			}
			return newDeviceTask(&so, s.met, p, partitions, st)
		}
	case stream.GroupProfile:
		o.Input = stream.TopicTouchpoints
		o.NewTask = func(_ int32, st *stream.State) (stream.Task, error) {
			if err := s.holdEpoch(ctx, st, &so); err != nil {
				return nil, err
			}
			return newProfileTask(&so, s.met, st)
		}
	}
	step, err := stream.NewStep(o)
	if err != nil {
		return err
	}
	s.ready[name].Store(step)
	return step.Run(ctx)
}
