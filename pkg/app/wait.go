package app

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// Bounds of WaitFor: the first pause, the longest one, and how long one try may take.
const (
	firstPause = 100 * time.Millisecond
	longPause  = 3 * time.Second
	tryTimeout = 5 * time.Second
)

// WaitFor calls try until it returns nil, with pauses that double up to 3 s
// (each shortened at random by up to a quarter, so that instances do not knock
// together). After timeout it gives up with an error that names what it waited
// for, how long, and the last reason. It returns ctx's error when ctx ends.
func WaitFor(ctx context.Context, timeout time.Duration, name string, try func(context.Context) error) error {
	limit, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	pause := firstPause
	for {
		err := tryOnce(limit, try)
		if err == nil {
			return nil
		}
		if p, ok := errors.AsType[*permanentError](err); ok {
			return fmt.Errorf("%s: %w", name, p.err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		timer := time.NewTimer(pause - rand.N(pause/4))
		select {
		case <-timer.C:
		case <-limit.Done():
			timer.Stop()
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("%s is not reachable after %s: %w", name, timeout, err)
		}
		pause = min(2*pause, longPause)
	}
}

// permanentError is one that trying again cannot help.
type permanentError struct{ err error }

func (p *permanentError) Error() string { return p.err.Error() }
func (p *permanentError) Unwrap() error { return p.err }

// Permanent makes WaitFor give up at once when a try returns it.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

func tryOnce(ctx context.Context, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	return try(ctx)
}

// Gate shows in /readyz what WaitFor is waiting for. The zero value is shut.
// Safe for concurrent use.
type Gate struct {
	state atomic.Pointer[gateState]
}

type gateState struct{ err error }

// Track wraps a try of WaitFor so that the gate knows its newest result.
func (g *Gate) Track(try func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		err := try(ctx)
		g.state.Store(&gateState{err})
		return err
	}
}

// Ready is nil once a try succeeded, else the last reason why not.
func (g *Gate) Ready() error {
	s := g.state.Load()
	if s == nil {
		return errors.New("not connected yet")
	}
	if s.err != nil {
		return fmt.Errorf("not reachable: %w", s.err)
	}
	return nil
}
