package collector

import (
	"context"
	"crypto/sha256"
	"os"
	"time"
)

// watchedFile tells when a file has become another one. It looks at the bytes, not
// at times: mounted files of Kubernetes change by a link. What two looks in a row
// have found is a change: an editor that writes the file anew leaves it empty or in
// parts for a moment, and these may well be valid. Not safe for concurrent use.
type watchedFile struct {
	path        string
	taken, seen [sha256.Size]byte
}

// open reads the file for the first time.
func (w *watchedFile) open() ([]byte, error) {
	text, err := os.ReadFile(w.path)
	w.taken = sha256.Sum256(text)
	w.seen = w.taken
	return text, err
}

// look reads the file and reports whether it has changed since what was taken last.
// now does not wait for a second look. The error is one of reading.
func (w *watchedFile) look(now bool) (text []byte, changed bool, err error) {
	text, err = os.ReadFile(w.path)
	sum := sha256.Sum256(text)
	if err != nil {
		sum = sha256.Sum256([]byte(err.Error()))
	}
	settled := sum == w.seen
	w.seen = sum
	if sum == w.taken || !settled && !now {
		return nil, false, nil
	}
	w.taken = sum
	return text, true, err
}

// watch calls changed with each new text, or the error of reading it, until ctx
// ends. A value on reload asks for a look now.
func (w *watchedFile) watch(ctx context.Context, every time.Duration, reload <-chan struct{}, changed func(text []byte, err error)) {
	if w.path == "" {
		return
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		now := false
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-reload:
			now = true
		}
		if text, is, err := w.look(now); is {
			changed(text, err)
		}
	}
}
