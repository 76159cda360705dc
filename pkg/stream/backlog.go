package stream

import (
	"runtime/debug"
	"time"
)

// backlog notices when many records have been worked off: what that took of memory is
// of no use afterwards.
type backlog struct {
	records int       // since memory was given back
	last    time.Time // when there was work, be it that time had passed
}

// Bounds of what is taken for a backlog, and for its end.
const (
	backlogRecords = 100_000
	backlogOver    = 3 * trimEvery // by then nothing is kept for what does not come
)

func (b *backlog) add(records int, now time.Time) {
	b.records += records
	b.last = now
}

// over reports, once, that a backlog is done.
func (b *backlog) over(now time.Time) bool {
	if b.records < backlogRecords || now.Sub(b.last) < backlogOver {
		return false
	}
	b.records = 0
	return true
}

// giveBack returns memory that is not in use to the operating system. Go would do so
// too, but only when it collects garbage again, which without work takes minutes.
func giveBack() { go debug.FreeOSMemory() }
