package sessionizer

import (
	"encoding/binary"
	"math"

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

// timer is one that fired.
type timer struct {
	at   int64
	name string
}

// fire takes out the timers that are due, the earliest first, at most perTick.
func (t *timers) fire(now int64) ([]timer, error) {
	var fired []timer
	rest := now + 1
	err := t.state.Range(timersFrom(t.next), timersFrom(rest), func(key, _ []byte) error {
		at, name := timerIn(key)
		fired = append(fired, timer{at, name})
		if len(fired) == perTick {
			rest = at
			return stream.ErrStop
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, f := range fired {
		t.remove(f.at, f.name)
	}
	return fired, t.look(rest)
}

// perTick bounds what one tick looks at, so that a transaction stays short.
const perTick = 5_000

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
	fired, err := t.timers.fire(at.Now)
	if err != nil {
		return err
	}
	for _, f := range fired {
		d, err := t.device(f.name)
		if err != nil {
			return err
		}
		d.Tick(at, f.at, t.o.Model)
		t.mark(d)
	}
	return nil
}

// Due implements stream.Task.
func (t *profileTask) Due(now stream.Clock) bool { return t.timers.due(instant(now, t.state).Now) }

// Tick implements stream.Task: it marks the profiles whose journeys may have
// lapsed, whose absences may have lasted too long, or of which something is too
// old to matter; Flush looks at them.
func (t *profileTask) Tick(now stream.Clock, _ stream.Output) error {
	fired, err := t.timers.fire(instant(now, t.state).Now)
	if err != nil {
		return err
	}
	for _, f := range fired {
		p, err := t.profileFor(f.name, math.MaxInt64)
		if err != nil {
			return err
		}
		if p.timer == f.at {
			p.timer = 0
		}
		t.mark(p)
	}
	return nil
}
