// Package monitor watches how far the consumer groups of a namespace are behind,
// in records and in seconds, from the outside: it sees a group that is down.
package monitor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/cairnhq/cairn/pkg/stream"
)

// Options of a monitor.
type Options struct {
	Namespace string
	Cluster   stream.Cluster
	// Groups to watch, without the namespace; nil: those of cairn's own services.
	Groups []string
	// ClusterName is the label cluster_name of the metrics; empty: the namespace.
	ClusterName string
	Interval    time.Duration // between looks; 0: 5 s
	// MaxLag is the lag from which a group is lagging; 0: 1 min.
	MaxLag time.Duration
	// StallAfter is how long a group with work may commit nothing before it is
	// called stalled; 0: 30 s. One look alone never says stalled.
	StallAfter time.Duration
	Log        *zap.Logger           // nil: none
	Registerer prometheus.Registerer // nil: no metrics
	Now        func() time.Time      // nil: time.Now
}

// Service is a monitor. Snapshot may be called while Run runs.
type Service struct {
	o     Options
	admin *kadm.Client
	cl    *kgo.Client
	heads *headReader

	mu      sync.Mutex // held for a whole look: looks are one after another
	history history

	state   sync.Mutex
	last    *Snapshot // of the newest look that worked
	lastErr error     // of the newest look
	metrics *metrics  // nil: none
}

// New checks the options. It connects at the first look.
func New(_ context.Context, o Options) (*Service, error) {
	o.setDefaults()
	if o.Namespace == "" {
		return nil, errors.New("monitor: no namespace")
	}
	cl, err := stream.NewClient(o.Cluster, "monitor", o.Log, nil)
	if err != nil {
		return nil, fmt.Errorf("monitor: %w", err)
	}
	heads, err := newHeadReader(o)
	if err != nil {
		cl.Close()
		return nil, fmt.Errorf("monitor: %w", err)
	}
	s := &Service{o: o, cl: cl, admin: kadm.NewClient(cl), heads: heads, history: history{}}
	if o.Registerer != nil {
		s.metrics = newMetrics(s)
		if err := o.Registerer.Register(s.metrics); err != nil {
			s.Close()
			return nil, fmt.Errorf("monitor: register metrics: %w", err)
		}
	}
	return s, nil
}

func (o *Options) setDefaults() {
	if o.Groups == nil {
		o.Groups = []string{stream.GroupDevice, stream.GroupProfile, stream.GroupSink}
	}
	o.Groups = slices.Sorted(slices.Values(o.Groups))
	if o.ClusterName == "" {
		o.ClusterName = o.Namespace
	}
	if o.Interval == 0 {
		o.Interval = 5 * time.Second
	}
	if o.MaxLag == 0 {
		o.MaxLag = time.Minute
	}
	if o.StallAfter == 0 {
		o.StallAfter = 30 * time.Second
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

// Run looks every Interval until ctx ends, then closes the service.
func (s *Service) Run(ctx context.Context) error {
	defer s.Close()
	tick := time.NewTicker(s.o.Interval)
	defer tick.Stop()
	for {
		if _, err := s.Snapshot(ctx); err != nil && ctx.Err() == nil {
			s.o.Log.Warn("cannot look at the lag", zap.Error(err))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Ready is nil when the last look worked.
func (s *Service) Ready() error {
	s.state.Lock()
	defer s.state.Unlock()
	switch {
	case s.lastErr != nil:
		return s.lastErr
	case s.last == nil:
		return errors.New("no look at the lag yet")
	}
	return nil
}

// Close ends the connections. Only for a service that is not Run.
func (s *Service) Close() {
	s.heads.close()
	s.cl.Close()
	if s.metrics != nil {
		s.o.Registerer.Unregister(s.metrics)
	}
}

// current is the newest snapshot, or nil if it is too old to be shown as now.
func (s *Service) current() *Snapshot {
	s.state.Lock()
	defer s.state.Unlock()
	if s.last == nil || s.o.Now().Sub(s.last.At) > 3*s.o.Interval {
		return nil
	}
	return s.last
}

func (s *Service) keep(snap *Snapshot, err error) {
	s.state.Lock()
	defer s.state.Unlock()
	if s.lastErr = err; err == nil {
		s.last = snap
	}
}
