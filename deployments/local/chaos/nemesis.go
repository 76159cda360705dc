//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// nemesis disturbs, one thing after the other; what takes long goes on beside
// what comes next. All that is random is drawn in one place, so that a seed
// makes the same plan. When its parts fall into the stream, the machine decides.
type nemesis struct {
	run    *run
	rng    *rand.Rand
	others sync.WaitGroup // disturbances that go on beside
	mu     sync.Mutex
	idle   []*member // guarded by mu: undisturbed members of the group
	done   map[string]int
}

// What is done.
const (
	killMember  = "kill -9"
	loseDisk    = "kill -9 with the disk lost"
	stopMember  = "SIGSTOP beyond the session timeout"
	termMember  = "SIGTERM"
	extraMember = "a fourth member that leaves"
	killBroker  = "kill -9 of Kafka"
	stopBroker  = "SIGSTOP of Kafka"
	killSink    = "kill -9 of the sink"
	killEngine  = "kill -9 of ClickHouse"
)

// sessionTimeout is that of the steps' groups: a member that is silent for
// longer is taken for dead.
const sessionTimeout = 15 * time.Second

// deck is what is done at least once, in an order of the seed's.
func (r *run) deck() []string {
	deck := []string{
		killMember, killMember, killMember, loseDisk, loseDisk, stopMember, stopMember, stopMember,
		termMember, extraMember, killBroker, stopBroker,
	}
	if r.clickhouse != nil {
		deck = append(deck, killSink, killEngine)
	}
	return deck
}

// torment disturbs until the records are written, and the whole deck at least.
func (n *nemesis) torment(ctx context.Context, written <-chan struct{}) error {
	defer n.others.Wait()
	for round := 0; ; round++ {
		deck := n.run.deck()
		if round > 0 { // the servers had their turn
			deck = slices.DeleteFunc(deck, func(a string) bool {
				return a == killSink || a == killEngine || a == killBroker && round > 1
			})
		}
		n.rng.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
		for _, action := range deck {
			select {
			case <-written:
				if round > 0 {
					return nil
				}
			default:
			}
			if err := sleep(ctx, 2*time.Second+time.Duration(n.rng.IntN(5000))*time.Millisecond); err != nil {
				return err
			}
			if err := n.act(ctx, action); err != nil {
				return fmt.Errorf("%s: %w", action, err)
			}
		}
	}
}

// act begins what the action's name says.
func (n *nemesis) act(ctx context.Context, action string) error {
	pause := time.Duration(n.rng.IntN(5000)) * time.Millisecond
	switch n.rng.IntN(5) {
	case 0:
		pause = 0
	case 1:
		pause += sessionTimeout
	}
	stopped := sessionTimeout + time.Second + time.Duration(n.rng.IntN(6000))*time.Millisecond
	chosen, hard := n.rng.IntN(3), n.rng.IntN(2) == 0
	r := n.run
	switch action {
	case killBroker:
		n.note(action, r.kafka.name, pause%sessionTimeout)
		return r.kafka.crash(ctx, pause%sessionTimeout)
	case stopBroker:
		n.note(action, r.kafka.name, stopped/3)
		return r.kafka.pause(ctx, stopped/3)
	case killEngine:
		n.note(action, r.clickhouse.name, pause)
		return r.clickhouse.crash(ctx, pause)
	case killSink:
		n.note(action, r.sink.name, pause)
		return restart(ctx, r.sink, syscall.SIGKILL, pause)
	case extraMember:
		m := r.fourth
		n.beside(m, action, stopped, func() error { return visit(ctx, m, stopped, hard) })
		return nil
	}
	m, err := n.take(ctx, chosen)
	if err != nil {
		return err
	}
	switch action {
	case stopMember:
		n.beside(m, action, stopped, func() error { return m.pause(ctx, stopped) })
	case termMember:
		n.beside(m, action, pause, func() error { return restart(ctx, m, syscall.SIGTERM, pause) })
	case killMember:
		n.beside(m, action, pause, func() error { return restart(ctx, m, syscall.SIGKILL, pause) })
	case loseDisk:
		n.beside(m, action, pause, func() error {
			if _, err := m.end(syscall.SIGKILL); err != nil {
				return err
			}
			if err := os.RemoveAll(m.data); err != nil {
				return err
			}
			return restart(ctx, m, syscall.SIGKILL, pause)
		})
	}
	return nil
}

// restart ends a member and starts it again after a while.
func restart(ctx context.Context, m *member, s syscall.Signal, pause time.Duration) error {
	if _, err := m.end(s); err != nil {
		return err
	}
	if err := sleep(ctx, pause); err != nil {
		return err
	}
	return m.start()
}

// visit has a member come and leave again.
func visit(ctx context.Context, m *member, stay time.Duration, hard bool) error {
	if err := m.start(); err != nil {
		return err
	}
	err := sleep(ctx, stay)
	s := syscall.SIGTERM
	if hard {
		s = syscall.SIGKILL
	}
	if _, ended := m.end(s); err == nil {
		err = ended
	}
	return err
}

// take is an undisturbed member of the group. If all are disturbed it waits: none
// is for long.
func (n *nemesis) take(ctx context.Context, i int) (*member, error) {
	for {
		if m := n.takeNow(i); m != nil {
			return m, nil
		}
		if err := sleep(ctx, 200*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

func (n *nemesis) takeNow(i int) *member {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.idle) == 0 {
		return nil
	}
	i %= len(n.idle)
	m := n.idle[i]
	n.idle = slices.Delete(n.idle, i, i+1)
	return m
}

// beside does something to a member while other things happen.
func (n *nemesis) beside(m *member, action string, d time.Duration, do func() error) {
	n.note(action, m.name, d)
	n.others.Go(func() {
		err := do()
		if !errors.Is(err, context.Canceled) {
			n.run.must(err)
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		if m != n.run.fourth {
			n.idle = append(n.idle, m)
		}
	})
}

func (n *nemesis) note(action, whom string, d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.done[action]++
	n.run.say("nemesis: %s: %s, %s", action, whom, d.Round(10*time.Millisecond))
}

func (n *nemesis) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var parts []string
	for action, times := range n.done {
		parts = append(parts, fmt.Sprintf("%d x %s", times, action))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}
