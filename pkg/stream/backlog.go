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
}

// Bounds of what is taken for a backlog, and for its end.
const (
	backlogRate  = 10_000 // records and rows in a second
	backlogQuiet = 3      // by then nothing is kept for what does not come
)

// add counts what a transaction has read or written.
func (b *backlog) add(n int) { b.work += n }

// over reports, once, that a backlog is done. It is asked each second.
func (b *backlog) over() bool {
	b.quiet++
	if b.work >= backlogRate {
		b.busy, b.quiet = true, 0
	}
	b.work = 0
	done := b.busy && b.quiet >= backlogQuiet
	b.busy = b.busy && !done
	return done
}

// giveBack returns memory that is not in use to the operating system. Go would do so
// too, but only when it collects garbage again, which with little work takes minutes.
func giveBack() {
	go func() {
		runtime.GC() // a sync.Pool keeps what it holds through one collection
		debug.FreeOSMemory()
	}()
}
