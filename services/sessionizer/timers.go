package sessionizer

import (
	"container/heap"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire"
)

// timers remember when something of a device or profile may run out. They are
// hints: what is due is looked at again, so that extending a session costs
// nothing and a timer too many does no harm. They are made anew from the state.
type timers struct {
	queue  timerQueue
	armed  map[string]int64 // earliest timer per name
	popped []timer          // since the last commit
}

type timer struct {
	at   int64
	name string
}

// add makes sure that name is looked at no later than at.
func (t *timers) add(at int64, name string) {
	if have, ok := t.armed[name]; ok && have <= at {
		return
	}
	if t.armed == nil {
		t.armed = map[string]int64{}
	}
	t.armed[name] = at
	heap.Push(&t.queue, timer{at, name})
}

func (t *timers) due(now int64) bool { return len(t.queue) > 0 && t.queue[0].at <= now }

// pop returns the next name that is due.
func (t *timers) pop(now int64) (name string, ok bool) {
	for t.due(now) {
		next := heap.Pop(&t.queue).(timer)
		if t.armed[next.name] != next.at {
			continue // replaced by an earlier one
		}
		delete(t.armed, next.name)
		t.popped = append(t.popped, next)
		return next.name, true
	}
	return "", false
}

func (t *timers) commit() { t.popped = t.popped[:0] }

// rollback arms again what the aborted transaction has popped.
func (t *timers) rollback() {
	for _, p := range t.popped {
		t.add(p.at, p.name)
	}
	t.popped = t.popped[:0]
}

// timerQueue is a heap by time, then name.
type timerQueue []timer

func (q timerQueue) Len() int { return len(q) }
func (q timerQueue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].name < q[j].name
}
func (q timerQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *timerQueue) Push(x any) { *q = append(*q, x.(timer)) }

// Pop implements heap.Interface.
func (q *timerQueue) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}

// perTick bounds what one tick closes, so that a transaction stays short.
const perTick = 5_000

// clockOf is the time by which things run out: the partition's stream time while
// there is a backlog, the wall clock once there is none.
func clockOf(now stream.Clock, state *stream.State) int64 {
	if now.CaughtUp {
		return max(now.Wall, state.StreamTime())
	}
	return min(state.StreamTime(), now.Wall) // a clock that ran ahead must not end what goes on
}

// loadTimers arms a timer for every open session.
func (t *deviceTask) loadTimers() error {
	return t.state.Scan([]byte{tableDevice}, func(key, value []byte) error {
		name, rest := nameIn(key)
		if rest[0] != rowSession {
			return nil
		}
		s, err := wire.DecodeSession(value)
		if err == nil && !s.Closed {
			t.timers.add(s.End+t.o.Model.SessionGap+1, name)
		}
		return err
	})
}

// Due implements stream.Task.
func (t *deviceTask) Due(now stream.Clock) bool { return t.timers.due(clockOf(now, t.state)) }

// Tick implements stream.Task: it closes the sessions whose gap has passed.
func (t *deviceTask) Tick(now stream.Clock, _ stream.Output) error {
	at := clockOf(now, t.state)
	for range perTick {
		name, ok := t.timers.pop(at)
		if !ok {
			return nil
		}
		d, err := t.device(name)
		if err != nil {
			return err
		}
		if next := d.Close(at, t.o.Model.SessionGap); next != 0 {
			t.timers.add(next, name)
		}
		t.mark(d)
	}
	return nil
}

// loadTimers arms a timer for every open journey.
func (t *profileTask) loadTimers() error {
	return t.state.Scan([]byte{tableProfile}, func(key, value []byte) error {
		name, rest := nameIn(key)
		if rest[0] != rowJourneys {
			return nil
		}
		list, err := wire.DecodeJourneys(value)
		for _, j := range list {
			if !j.Lapsed {
				t.timers.add(j.End+t.o.Model.JourneyGap+1, name)
			}
		}
		return err
	})
}

// Due implements stream.Task.
func (t *profileTask) Due(now stream.Clock) bool { return t.timers.due(clockOf(now, t.state)) }

// Tick implements stream.Task: it marks the profiles whose journeys may have
// lapsed; Flush folds them.
func (t *profileTask) Tick(now stream.Clock, _ stream.Output) error {
	at := clockOf(now, t.state)
	for range perTick {
		name, ok := t.timers.pop(at)
		if !ok {
			return nil
		}
		p, err := t.profile(name)
		if err != nil {
			return err
		}
		t.mark(p)
	}
	return nil
}
