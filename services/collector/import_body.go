package collector

import (
	"errors"
	"net/http"
	"sync"
	"time"
)

// slowBody reads a request's body for longer than the server lets others take,
// but not for ever, and not while the collector ends.
type slowBody struct {
	u    *upload
	ctl  *http.ResponseController
	left int64 // bytes; below 0: there were more than the limit
	done chan struct{}
	wg   sync.WaitGroup

	mu     sync.Mutex
	ending bool
}

func newSlowBody(u *upload) *slowBody {
	b := &slowBody{u: u, ctl: http.NewResponseController(u.w), left: u.h.opts.MaxImportBytes, done: make(chan struct{})}
	b.wg.Go(func() {
		select {
		case <-b.done:
		case <-u.h.draining:
			b.mu.Lock()
			defer b.mu.Unlock()
			b.ending = true
			_ = b.ctl.SetReadDeadline(time.Now())
		}
	})
	return b
}

func (b *slowBody) stop() {
	close(b.done)
	b.wg.Wait()
}

func (b *slowBody) Read(p []byte) (int, error) {
	if err := b.extend(); err != nil {
		return 0, err
	}
	n, err := b.u.r.Body.Read(p)
	b.u.h.met.bytes.WithLabelValues("in").Add(float64(n))
	if b.left -= int64(n); b.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}

// extend gives the next bytes as long as a whole request may take elsewhere.
func (b *slowBody) extend() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ending {
		return errors.New("the collector is shutting down")
	}
	until := time.Now().Add(b.u.h.opts.ReadTimeout)
	if until.After(b.u.limit) {
		until = b.u.limit
	}
	_ = b.ctl.SetReadDeadline(until) // a recorder of a test has none
	return nil
}
