//go:build linux

package e2e

import (
	"bytes"
	"sync"
)

// output collects what a child writes. Safe for concurrent use.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// tail is the last n bytes.
func (o *output) tail(n int) string {
	s := o.String()
	if len(s) > n {
		return "..." + s[len(s)-n:]
	}
	return s
}
