//go:build linux

package main

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// child is a process that dies with this one, stopped ones included.
type child struct {
	cmd  *exec.Cmd
	done chan struct{} // closed once it has ended
}

// startChild starts cmd. The kernel kills the child when the thread that started
// it ends, so a goroutine keeps that thread. A process group of its own keeps
// Ctrl-C from it: whoever started it ends it.
func startChild(cmd *exec.Cmd) (*child, error) {
	c := &child{cmd: cmd, done: make(chan struct{})}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // its state says how it ended
			close(c.done)
		}
	}()
	return c, <-started
}

func (c *child) signal(s syscall.Signal) error {
	err := c.cmd.Process.Signal(s)
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// end sends the signal and returns how the child ended. After the bound it is
// killed, and that is an error.
func (c *child) end(s syscall.Signal, bound time.Duration) (code int, err error) {
	if err := c.signal(s); err != nil {
		return -1, err
	}
	select {
	case <-c.done:
		return c.cmd.ProcessState.ExitCode(), nil
	case <-time.After(bound):
	}
	err = errors.Join(errors.New("it did not end in "+bound.String()+" and was killed"), c.signal(syscall.SIGKILL))
	<-c.done
	return -1, err
}
