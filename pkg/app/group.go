package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/oklog/run"
	"go.uber.org/zap"
)

// Group runs the parts of a process. The first part that returns ends all: the
// others are stopped one at a time, the last added first, each awaited for up to
// StopTimeout before the next is told. So what is added first (a broker) is
// there until those that use it are gone.
//
// The first SIGINT or SIGTERM stops the same way, and Run returns nil if
// everything ended well. The second calls Abort.
type Group struct {
	Log *zap.Logger
	// StopTimeout bounds how long one part may take to stop; 0: 20 s.
	StopTimeout time.Duration
	// OnStop is called once when stopping begins, before the first part is
	// told: the place to turn not ready.
	OnStop func()
	// Signals stands in for the process's signals in tests; nil: the real ones.
	Signals <-chan os.Signal
	// Abort ends the process at once; nil: os.Exit(130).
	Abort func()

	parts []*part
}

type part struct {
	name string
	run  func(context.Context) error
}

// ErrStopTimeout is in the error of Run when a part did not stop in time.
var ErrStopTimeout = errors.New("did not stop in time")

// Add adds a part. run blocks until its ctx ends, then drains and returns nil;
// an earlier return, with or without an error, stops the whole group.
func (g *Group) Add(name string, run func(ctx context.Context) error) {
	g.parts = append(g.parts, &part{name, run})
}

// Run runs all parts until one returns, a signal comes or ctx ends. It returns
// the error that ended the group joined with those of parts that stopped badly.
func (g *Group) Run(ctx context.Context) error {
	if g.StopTimeout == 0 {
		g.StopTimeout = 20 * time.Second
	}
	if g.Log == nil {
		g.Log = zap.NewNop()
	}
	signals, release := g.signals()
	defer release()

	var rg run.Group
	outcomes := make([]*outcome, 0, len(g.parts))
	// The control actor is interrupted first of all; its interrupt begins the stop.
	ended := make(chan struct{})
	defer close(ended)
	g.addControl(&rg, ctx, signals, ended)
	for _, p := range slices.Backward(g.parts) {
		outcomes = append(outcomes, g.addPart(&rg, ctx, p))
	}
	first := rg.Run()
	errs := []error{first}
	for _, o := range outcomes {
		if err := o.error(); err != nil && !errors.Is(first, err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (g *Group) signals() (<-chan os.Signal, func()) {
	if g.Signals != nil {
		return g.Signals, func() {}
	}
	ch := make(chan os.Signal, 2)
	signal.Notify(ch, syscall.SIGINT, syscall.SIGTERM)
	return ch, func() { signal.Stop(ch) }
}

// addControl adds the actor that waits for a signal or the end of ctx. After
// the stop has begun, one more signal aborts, until the group has ended.
func (g *Group) addControl(rg *run.Group, ctx context.Context, signals <-chan os.Signal, ended <-chan struct{}) {
	stopping := make(chan struct{})
	rg.Add(func() error {
		select {
		case s := <-signals:
			g.Log.Info("stopping, a second signal aborts", zap.Stringer("signal", s))
		case <-ctx.Done():
		case <-stopping:
		}
		return nil
	}, func(error) {
		close(stopping)
		if g.OnStop != nil {
			g.OnStop()
		}
		go func() {
			select {
			case <-signals:
				g.abort()
			case <-ended:
			}
		}()
	})
}

func (g *Group) abort() {
	if g.Abort != nil {
		g.Abort()
		return
	}
	os.Exit(130)
}

// outcome is how a part ended; read only after the group's Run.
type outcome struct {
	name string
	done chan struct{}
	err  error
}

func (o *outcome) error() error {
	select {
	case <-o.done:
		return o.err
	default:
		return fmt.Errorf("%s: %w", o.name, ErrStopTimeout)
	}
}

// addPart adds a part whose interrupt waits for it. If it does not stop in time
// it is left behind: the process is about to end anyway, and a hung part must
// not keep the others from draining.
func (g *Group) addPart(rg *run.Group, parent context.Context, p *part) *outcome {
	// Not a child of parent: the end of ctx must stop the parts in order too.
	ctx, cancel := context.WithCancel(context.WithoutCancel(parent))
	o := &outcome{name: p.name, done: make(chan struct{})}
	leave := make(chan struct{})
	rg.Add(func() error {
		go func() {
			defer close(o.done)
			if err := p.run(ctx); err != nil {
				o.err = fmt.Errorf("%s: %w", p.name, err)
			}
		}()
		select {
		case <-o.done:
			return o.err
		case <-leave:
			return nil
		}
	}, func(error) {
		cancel()
		timer := time.NewTimer(g.StopTimeout)
		defer timer.Stop()
		select {
		case <-o.done:
		case <-timer.C:
			g.Log.Error("part did not stop in time", zap.String("part", p.name), zap.Duration("timeout", g.StopTimeout))
		}
		close(leave)
	})
	return o
}
