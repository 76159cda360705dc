//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/cairnhq/cairn/pkg/local"
	"github.com/cairnhq/cairn/pkg/stream"
)

// server is Kafka or ClickHouse.
type server struct {
	name    string
	fail    func(error)                                // ends the run
	open    func(ctx context.Context) (process, error) // on the same folder and port each time
	mu      sync.Mutex
	process process // guarded by mu
}

// process is a running server of package local.
type process interface {
	PID() int
	Done() <-chan struct{}
	Err() error
	Stop() error
}

func (r *run) startServers(ctx context.Context) error {
	var err error
	ports := make([]int, 3)
	for i := range ports {
		if ports[i], err = local.FreePort(); err != nil {
			return err
		}
	}
	r.cluster = stream.Cluster{Brokers: []string{fmt.Sprintf("127.0.0.1:%d", ports[0])}}
	r.kafka = &server{name: "Kafka", fail: r.must, open: func(ctx context.Context) (process, error) {
		return local.StartKafka(ctx, local.KafkaOptions{Dir: filepath.Join(r.dir, "kafka"), Port: ports[0]})
	}}
	if err := r.kafka.start(ctx); err != nil {
		return err
	}
	go r.kafka.watch(ctx, func(err error) error { return err })
	if !r.o.warehouse {
		return nil
	}
	r.dsn = fmt.Sprintf("clickhouse://default@127.0.0.1:%d/%s", ports[1], namespace)
	r.clickhouse = &server{name: "ClickHouse", fail: r.must, open: func(ctx context.Context) (process, error) {
		return local.StartClickHouse(ctx, local.ClickHouseOptions{Dir: filepath.Join(r.dir, "clickhouse"), Port: ports[1], HTTPPort: ports[2]})
	}}
	if err := r.clickhouse.start(ctx); err != nil {
		r.say("no ClickHouse engine here, so neither the sink nor cairn verify runs: %v", err)
		r.clickhouse = nil
		return nil
	}
	// It ends, too, when a client's connection is reset at a bad moment.
	go r.clickhouse.watch(ctx, func(err error) error {
		r.say("%v; starting it again", err)
		return r.clickhouse.start(ctx)
	})
	return nil
}

// watch calls ended, with mu held, when the server has ended and nobody wanted it to.
func (s *server) watch(ctx context.Context, ended func(error) error) {
	for {
		s.mu.Lock()
		p := s.process
		s.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-p.Done():
		}
		s.mu.Lock()
		if s.process == p && ctx.Err() == nil {
			_ = p.Stop() // gives its folder back
			if err := ended(fmt.Errorf("%s has ended by itself: %w", s.name, p.Err())); err != nil {
				s.fail(err)
				s.mu.Unlock()
				return
			}
		}
		s.mu.Unlock()
	}
}

// start starts the server. The caller holds mu, or is the only one yet.
func (s *server) start(ctx context.Context) error {
	p, err := s.open(ctx)
	if err != nil {
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	s.process = p
	return nil
}

// crash is kill -9 and, after a while, a new start with what is on disk.
func (s *server) crash(ctx context.Context, d time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := syscall.Kill(s.process.PID(), syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill %s: %w", s.name, err)
	}
	<-s.process.Done()
	_ = s.process.Stop() // gives its folder back; it says again that it was killed
	if err := sleep(ctx, d); err != nil {
		return err
	}
	return s.start(ctx)
}

// pause is SIGSTOP and, after a while, SIGCONT.
func (s *server) pause(ctx context.Context, d time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := syscall.Kill(s.process.PID(), syscall.SIGSTOP); err != nil {
		return fmt.Errorf("stop %s: %w", s.name, err)
	}
	return errors.Join(sleep(ctx, d), syscall.Kill(s.process.PID(), syscall.SIGCONT))
}

// end ends the server, a stopped one, too.
func (s *server) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		_ = syscall.Kill(s.process.PID(), syscall.SIGCONT) // no stopped process answers SIGTERM
		_ = s.process.Stop()
	}
}
