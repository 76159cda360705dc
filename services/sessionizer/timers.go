package sessionizer

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/stream"
)

// timers remember when something of a device or profile may run out, as rows of
// the state: they survive restarts and cost no memory. They are hints. What fires
// is looked at again, so that one too many does no harm, and what goes on does
// not move its timer.
type timers struct {
	state *stream.State
	next  int64  // no timer fires before: where to begin to look, past those that have
	saved int64  // next, as of what is committed
	key   []byte // memory that is used again
}

func newTimers(state *stream.State) (timers, error) {
	t := timers{state: state}
	err := t.look(math.MinInt64)
	t.committed()
	return t, err
}

// look finds the earliest timer; there is none before from.
func (t *timers) look(from int64) error {
	t.next = math.MaxInt64
	return t.state.Range(timersFrom(from), []byte{tableTimer + 1}, func(key, _ []byte) error {
		t.next, _ = timerIn(key)
		return stream.ErrStop
	})
}

// committed and rollback are told how the transaction ended.
func (t *timers) committed() { t.saved = t.next }

func (t *timers) rollback() { t.next = t.saved }

func timersFrom(at int64) []byte { return appendTime([]byte{tableTimer}, at) }

// timerKey is valid until the next one is made.
func (t *timers) timerKey(at int64, name string) []byte {
	t.key = append(appendTime(append(t.key[:0], tableTimer), at), name...)
	return t.key
}

func timerIn(key []byte) (at int64, name string) {
	return int64(binary.BigEndian.Uint64(key[1:]) ^ (1 << 63)), string(key[9:])
}

func (t *timers) add(at int64, name string) {
	t.state.Put(t.timerKey(at, name), nil)
	t.next = min(t.next, at)
}

func (t *timers) remove(at int64, name string) { t.state.Delete(t.timerKey(at, name)) }

func (t *timers) due(now int64) bool { return t.next <= now }

// Bounds of a tick: how many timers it looks at, and for how long it goes on reading
// what they are of, which may be on the disk.
const (
	perTick = 5_000
	tickFor = time.Second
)

// fire calls fn with the timers that are due, the earliest first, and takes them out.
// Those for which there is no time now stay.
func (t *timers) fire(now int64, fn func(at int64, name string) error) error {
	started := time.Now()
	for left := perTick; left > 0 && t.next <= now && time.Since(started) < tickFor; {
		n, err := t.some(now, min(left, timersAtOnce), fn)
		if err != nil {
			return err
		}
		left -= n
	}
	return nil
}

// timersAtOnce is how many timers are worked off between two looks at the clock.
const timersAtOnce = 100

// some fires so many timers at most, and returns how many.
func (t *timers) some(now int64, most int, fn func(at int64, name string) error) (int, error) {
	var due []timer
	rest := now + 1
	err := t.state.Range(timersFrom(t.next), timersFrom(rest), func(key, _ []byte) error {
		at, name := timerIn(key)
		due = append(due, timer{at, name})
		if len(due) == most {
			rest = at
			return stream.ErrStop
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for _, d := range due {
		t.remove(d.at, d.name)
	}
	if err := t.look(rest); err != nil {
		return 0, err
	}
	for _, d := range due {
		if err := fn(d.at, d.name); err != nil {
			return 0, err
		}
	}
	return len(due), nil
}

// timer is one that is due.
type timer struct {
	at   int64
	name string
}

// instant is the time by which things run out: the partition's stream time while
// there is a backlog, the wall clock once there is none. The age of state goes by
// the arrival of records instead.
func instant(now stream.Clock, state *stream.State) journey.Instant {
	record := min(state.RecordTime(), now.Wall)
	if now.AtEnd { // a partition that only stands still may have old records to come
		record = max(now.Wall, state.RecordTime())
	}
	if now.CaughtUp {
		return journey.Instant{Now: max(now.Wall, state.StreamTime()), Record: record}
	}
	// A clock that ran ahead must not end what goes on, and what is due by its age
	// must not fire before it is that old.
	return journey.Instant{Now: min(state.StreamTime(), record), Record: record}
}

// Due implements stream.Task.
func (t *deviceTask) Due(now stream.Clock) bool { return t.timers.due(instant(now, t.state).Now) }

// Tick implements stream.Task: it closes the sessions whose gap has passed, and
// drops what is too old to matter.
func (t *deviceTask) Tick(now stream.Clock, _ stream.Output) error {
	at := instant(now, t.state)
	return t.timers.fire(at.Now, func(timer int64, name string) error {
		d, err := t.device(name)
		if err != nil {
			return err
		}
		d.Tick(at, timer, t.o.Model)
		t.mark(d)
		return nil
	})
}

// Due implements stream.Task.
func (t *profileTask) Due(now stream.Clock) bool { return t.timers.due(instant(now, t.state).Now) }

// Tick implements stream.Task: it marks the profiles whose journeys may have
// lapsed, whose absences may have lasted too long, or of which something is too
// old to matter; Flush looks at them.
func (t *profileTask) Tick(now stream.Clock, _ stream.Output) error {
	at := instant(now, t.state)
	return t.timers.fire(at.Now, func(timer int64, name string) error {
		p, err := t.profileFor(name, math.MaxInt64)
		if err != nil {
			return err
		}
		if p.timer == timer {
			p.timer = 0
		}
		t.mark(p)
		if p.NeedsPoints(t.o.Model, at) { // here, where it is timed
			return t.complete(p)
		}
		return nil
	})
}
