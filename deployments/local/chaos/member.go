//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Bounds of a service.
const (
	endBound     = 45 * time.Second // from SIGTERM to its end
	restartPause = time.Second      // from an end of its own to the next start
)

// member is a service that is kept running: one that ends by itself is started
// again, as any supervisor would. Safe for concurrent use.
type member struct {
	run  *run
	name string
	args []string // of cairn
	data string   // its folder; "": it has none

	mu      sync.Mutex
	child   *child // guarded by mu; nil: it does not run
	wanted  bool   // guarded by mu
	starts  int    // guarded by mu
	ownEnds int    // guarded by mu: ends by itself
}

// logPath is where all that the member's processes say goes.
func (m *member) logPath() string { return filepath.Join(m.run.logs, m.name+".log") }

// start starts the member unless it runs.
func (m *member) start() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wanted = true
	return m.spawn()
}

// spawn starts a process if there is none. The caller holds mu.
func (m *member) spawn() error {
	if m.child != nil {
		return nil
	}
	log, err := os.OpenFile(m.logPath(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(m.run.o.cairn, m.args...) //nolint:noctx // it is told to stop, or killed
	cmd.Dir = m.run.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "CAIRN_IDENTITY_SECRET=of-this-run"}
	cmd.Stdout, cmd.Stderr = log, log
	c, err := startChild(cmd)
	if err != nil {
		return fmt.Errorf("start %s: %w", m.name, err)
	}
	m.child = c
	m.starts++
	go m.watch(c)
	return nil
}

// watch starts the member again if it ends though nobody asked it to.
func (m *member) watch(c *child) {
	<-c.done
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.child != c {
		return
	}
	m.child = nil
	m.ownEnds++
	words := m.lastWords()
	m.run.say("%s has ended by itself (%s): %s", m.name, c.cmd.ProcessState, words)
	if word := forbiddenIn(words); word != "" { // it would not get better
		m.run.must(fmt.Errorf("%s says %q: %s", m.name, word, words))
		return
	}
	time.AfterFunc(restartPause, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.wanted {
			m.run.must(m.spawn())
		}
	})
}

// lastWords is the last line of the log.
func (m *member) lastWords() string {
	const limit = 500
	raw, err := os.ReadFile(m.logPath())
	if err != nil {
		return err.Error()
	}
	raw = bytes.TrimSpace(raw)
	raw = raw[bytes.LastIndexByte(raw, '\n')+1:]
	return string(raw[:min(len(raw), limit)])
}

// end ends the member, and it stays away. The exit code is -1 of one that did not run.
func (m *member) end(s syscall.Signal) (int, error) {
	m.mu.Lock()
	c := m.child
	m.child, m.wanted = nil, false
	m.mu.Unlock()
	if c == nil {
		return -1, nil
	}
	code, err := c.end(s, endBound)
	if err != nil {
		err = fmt.Errorf("%s: %w", m.name, err)
	}
	return code, err
}

// pause is SIGSTOP and, after a while, SIGCONT.
func (m *member) pause(ctx context.Context, d time.Duration) error {
	m.mu.Lock()
	c := m.child
	m.mu.Unlock()
	if c == nil {
		return nil // it has ended by itself a moment ago
	}
	if err := c.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	err := sleep(ctx, d)
	if cont := c.signal(syscall.SIGCONT); err == nil {
		err = cont
	}
	return err
}

// sleep waits, or returns why ctx ended.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
