package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"
)

const loopback = "127.0.0.1"

// FreePort picks a port of 127.0.0.1 that nothing listens on. Another process may take it before the caller does.
func FreePort() (int, error) {
	ln, err := net.Listen("tcp", loopback+":0") //nolint:noctx // an address without a name: nothing to wait for
	if err != nil {
		return 0, fmt.Errorf("pick a free port: %w", err)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	return port, ln.Close()
}

// CheckPort says in one sentence if the port of 127.0.0.1 is taken. The flag is what the user would change.
func CheckPort(port int, flag string) error {
	ln, err := net.Listen("tcp", address(port)) //nolint:noctx // as above
	if err != nil {
		return portError(port, flag, err)
	}
	return ln.Close()
}

func portError(port int, flag string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return &portInUseError{port, flag}
	}
	return fmt.Errorf("listen on port %d of %s (%s): %w", port, loopback, flag, err)
}

// choosePort is a free port for 0, else the port itself once it is free. It waits a little: the child of a parent
// that was killed a moment ago may still hold it.
func choosePort(ctx context.Context, port int, flag string) (int, error) {
	const patience, every = 2 * time.Second, 50 * time.Millisecond
	if port == 0 {
		return FreePort()
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		err := CheckPort(port, flag)
		if err == nil || !errors.Is(err, syscall.EADDRINUSE) {
			return port, err
		}
		select {
		case <-ctx.Done():
			return 0, err
		case <-tick.C:
		}
	}
}

// portInUseError is a sentence for the user, and syscall.EADDRINUSE for errors.Is.
type portInUseError struct {
	port int
	flag string
}

func (e *portInUseError) Error() string {
	return fmt.Sprintf("port %d of %s is in use: stop the program that holds it, or choose another with %s (0 picks a free one)", e.port, loopback, e.flag)
}

func (e *portInUseError) Unwrap() error { return syscall.EADDRINUSE }

func address(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }
