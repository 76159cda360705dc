package stream

import (
	"runtime"
	"runtime/debug"
)

// backlog notices that a lot has been worked off: what that took of memory is of no use
// when less comes.
type backlog struct {
	work  int // records and rows since it was last asked
	busy  bool
	quiet int // seconds since it was busy
	wait  int // seconds until the next may be over
}

// Bounds of what is taken for a backlog, and for its end.
const (
	backlogRate  = 10_000 // records and rows in a second
	backlogQuiet = 3      // seconds; by then nothing is kept for what does not come
	backlogEvery = 60     // seconds from one to the next: live events may come as fast now and then
)

// add counts what a transaction has read or written.
func (b *backlog) add(n int) { b.work += n }

// over reports, once, that a backlog is done. It is asked each second.
func (b *backlog) over() bool {
	b.quiet++
	b.wait = max(0, b.wait-1)
	if b.work >= backlogRate {
		b.busy, b.quiet = true, 0
	}
	b.work = 0
	if !b.busy || b.quiet < backlogQuiet || b.wait > 0 {
		return false
	}
	b.busy, b.wait = false, backlogEvery
	return true
}

// giveBack returns memory that is not in use to the operating system. Go would do so
// too, but only when it collects garbage again, which with little work takes minutes.
func giveBack() {
	go func() {
		runtime.GC() // a sync.Pool keeps what it holds through one collection
		debug.FreeOSMemory()
	}()
}
