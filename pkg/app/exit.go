package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
)

// Exit codes of every command.
const (
	ExitOK       = 0
	ExitFailure  = 1
	ExitUsage    = 2
	ExitExceeded = 3 // a threshold the caller set was exceeded (cairn lag --max-lag-seconds)
)

// ExitError is an error that ends the process with a given code. With an empty
// Message nothing is printed: the command has said it all.
type ExitError struct {
	Code    int
	Message string
}

func (e *ExitError) Error() string { return e.Message }

// UsageErrorf is a mistake in how a command was called: exit code 2.
func UsageErrorf(format string, args ...any) error {
	return &ExitError{Code: ExitUsage, Message: fmt.Sprintf(format, args...)}
}

// ExitCode is the exit code for what a command returned.
func ExitCode(err error) int {
	var e *ExitError
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &e):
		return e.Code
	}
	return ExitFailure
}

// Listen opens addr, the value of the flag named flag. A port in use or not
// allowed is one sentence that says what to change.
func Listen(ctx context.Context, flag, addr string) (net.Listener, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	switch {
	case err == nil:
		return ln, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s is in use by another process: choose another address with %s (port 0 picks a free one)", addr, flag)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("%s is not allowed for this user: choose a port above 1023 with %s", addr, flag)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("%s is no address of this machine: choose another with %s", addr, flag)
	}
	return nil, fmt.Errorf("listen on %s (%s): %w", addr, flag, err)
}
