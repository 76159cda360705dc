package journey

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const hour, day = 60 * minute, 24 * 60 * minute

// start is when the histories of these tests begin, Unix ms.
const start = int64(1_790_000_000_000)

// short is a model with bounds of minutes: gap 10, lateness 60.
func short() *Model {
	m := twoStages()
	m.SessionGap, m.Lateness, m.JourneyGap = 10*minute, hour, 2*hour
	return m
}

// seenAt is a customer's page that happened and arrived at once.
func seenAt(id string, at int64) *Touchpoint {
	return &Touchpoint{MessageID: id, Identifier: "anonymous:a", Type: "page", Time: at, Received: at, Actor: ActorCustomer}
}

// backfill is one that arrives long after it happened.
func backfill(id string, at, received int64) *Touchpoint {
	t := seenAt(id, at)
	t.Received, t.Flags = received, FlagBackfill
	return t
}

// at is a clock that agrees with the arrivals.
func at(now int64) Instant { return Instant{Now: now, Record: now} }

// kept are an identifier's rows and timers as the device step stores them.
type kept struct {
	device   *Device
	sessions map[int64]Session
	chunks   map[[2]int32]HashChunk
	timers   map[int64]bool
	timed    int // timers added
}

func newKept() *kept {
	return &kept{
		device: &Device{Identifier: "anonymous:a"}, sessions: map[int64]Session{}, chunks: map[[2]int32]HashChunk{}, timers: map[int64]bool{},
	}
}

// commit takes the changes and stores them. What is stored is what the struct
// says at that moment, and no more than the codec keeps of it.
func (k *kept) commit(m *Model) DeviceChanges {
	c := k.device.TakeChanges(m)
	for _, at := range c.Dropped {
		delete(k.sessions, at)
	}
	for _, s := range c.Sessions {
		row := *s
		row.changed = false
		row.Absorbed, row.Events = slices.Clone(s.Absorbed), slices.Clone(s.Events)
		k.sessions[s.Start] = row
	}
	for _, h := range c.Forgotten {
		delete(k.chunks, [2]int32{h.Day, h.Number})
	}
	for _, h := range c.Hashes {
		k.chunks[[2]int32{h.Day, h.Number}] = HashChunk{
			Day: h.Day, Number: h.Number, Hashes: slices.Clone(h.Hashes), Touched: h.Touched, Latest: h.Latest, Armed: h.Armed,
		}
	}
	if c.Timer != 0 {
		k.timers[c.Timer] = true
		k.timed++
	}
	return c
}

// restart loses what is decoded and reads it back from the rows.
func (k *kept) restart() {
	d := &Device{Identifier: k.device.Identifier, Ownership: k.device.Ownership, Oversized: k.device.Oversized, EvictedThrough: k.device.EvictedThrough}
	for _, at := range slices.Sorted(maps.Keys(k.sessions)) {
		s := k.sessions[at]
		d.Restore(&s)
	}
	for _, c := range k.chunks {
		c.Hashes = slices.Clone(c.Hashes)
		d.RestoreHashes(&c)
	}
	k.device = d
}

// tick fires the timers that are due, as the device step does.
func (k *kept) tick(now Instant, m *Model) {
	for _, at := range slices.Sorted(maps.Keys(k.timers)) {
		if at <= now.Now {
			delete(k.timers, at)
			k.device.Tick(now, at, m)
		}
	}
}

// evictedAt is a device whose only session, of one touchpoint at start, has been
// dropped.
func evictedAt(t *testing.T, m *Model) *kept {
	t.Helper()
	k := newKept()
	require.Equal(t, Counted, k.device.Apply(seenAt("m", start), m, start))
	k.commit(m)
	k.tick(at(start+day), m)
	k.commit(m)
	k.tick(at(start+day+1), m)
	k.commit(m)
	require.Empty(t, k.sessions)
	require.Empty(t, k.chunks)
	require.Equal(t, start, k.device.EvictedThrough)
	return k
}

// TestBackfillIntoWhatWasDropped: a backfill at or before the end of what was
// dropped + gap is late; one millisecond later it counts (semantics D11 b).
func TestBackfillIntoWhatWasDropped(t *testing.T) {
	m := short()
	for after, want := range map[int64]Outcome{-day: Evicted, 0: Evicted, m.SessionGap: Evicted, m.SessionGap + 1: Counted} {
		for _, restarted := range []bool{false, true} {
			k := evictedAt(t, m)
			if restarted {
				k.restart()
			}
			b := backfill("b", start+after, start+2*day)
			require.Equal(t, want, k.device.Apply(b, m, start+2*day), "%d ms after the session that was dropped", after)
			require.Equal(t, Duplicate, k.device.Apply(b, m, start+2*day), "of several copies, the first counts, also if it is late")
		}
	}
}

// TestEvictedIsStored: that something was dropped is part of the row that says
// whose the identifier is.
func TestEvictedIsStored(t *testing.T) {
	m := short()
	k := newKept()
	k.device.Apply(seenAt("m", start), m, start)
	k.commit(m)
	k.device.Tick(at(start+hour), start+hour, m)
	require.False(t, k.commit(m).Links, "nothing was dropped yet")
	k.device.Tick(at(start+day), start+day, m)
	require.True(t, k.commit(m).Links)
	k.device.Tick(at(start+day+2), start+day+2, m)
	require.False(t, k.commit(m).Links, "nothing was dropped this time")
}

// TestForgottenMessagesOfTheBusiness: an identifier without sessions has only its
// messages to drop; their time is remembered, so that a copy that comes again
// later is not counted twice.
func TestForgottenMessagesOfTheBusiness(t *testing.T) {
	m := short()
	k := newKept()
	mail := func() *Touchpoint {
		b := backfill("mail", start, start+minute)
		b.Actor = ActorBusiness
		return b
	}
	require.Equal(t, Counted, k.device.Apply(mail(), m, start+minute))
	later := backfill("second", start-day, start+minute)
	later.Actor = ActorBusiness
	require.Equal(t, Counted, k.device.Apply(later, m, start+minute))
	k.commit(m)
	require.Empty(t, k.sessions)
	k.tick(at(start+minute+m.keepSessions()), m)
	k.commit(m)
	require.Len(t, k.chunks, 1, "it may still come in time")
	k.tick(at(start+minute+m.keepSessions()+1), m)
	k.commit(m)
	require.Empty(t, k.chunks)
	require.Equal(t, start, k.device.EvictedThrough, "the latest event time of the messages")
	k.restart()
	require.Equal(t, Evicted, k.device.Apply(mail(), m, start+day))
}

// TestWhatIsLeftIsStillKnown: when a row of messages is dropped, those of the others
// still count once.
func TestWhatIsLeftIsStillKnown(t *testing.T) {
	m := short()
	k := newKept()
	require.Equal(t, Counted, k.device.Apply(seenAt("old", start), m, start))
	next := start + day
	require.Equal(t, Counted, k.device.Apply(seenAt("new", next), m, next))
	k.commit(m)
	require.Len(t, k.chunks, 2)
	k.tick(at(next+m.SessionGap), m)
	k.commit(m)
	require.Len(t, k.chunks, 1)
	require.Equal(t, Duplicate, k.device.Apply(seenAt("new", next), m, next+m.SessionGap))
}

// TestSessionsAreDroppedInTime: exactly when the newest arrival is later than the
// session's last change + lateness + gap + 5 min, and only a closed one.
func TestSessionsAreDroppedInTime(t *testing.T) {
	m := short()
	last := start + hour + m.SessionGap + 5*minute
	session := func() *kept {
		k := newKept()
		k.device.Apply(seenAt("m", start), m, start)
		k.commit(m)
		return k
	}
	dropped := func(k *kept, now Instant) bool {
		k.device.Tick(now, now.Now, m)
		return len(k.commit(m).Dropped) > 0
	}
	k := session()
	require.False(t, dropped(k, at(last)), "it closes first")
	require.True(t, k.device.Sessions()[0].Closed)
	require.False(t, dropped(k, at(last)), "something may still come in time")
	require.True(t, dropped(k, at(last+1)))
	require.Empty(t, k.device.Sessions())

	k = session() // its own clock stands, as when a partition is behind
	require.False(t, dropped(k, Instant{Now: start + m.SessionGap, Record: last + day}), "never while open")
	require.False(t, k.device.Sessions()[0].Closed)

	k = session()
	dropped(k, at(last))
	k.device.Apply(backfill("late", start+1, last), m, last)
	k.commit(m)
	require.False(t, k.device.Sessions()[0].Closed, "a change opens it again")
	dropped(k, at(last+minute))
	require.False(t, dropped(k, at(last+m.keepSessions())), "from the last change on")
	require.True(t, dropped(k, at(last+m.keepSessions()+1)))

	m.Lateness = 0 // nothing is ever too late
	k = session()
	for range 3 {
		require.False(t, dropped(k, at(start+1000*day)))
	}
	require.Len(t, k.device.Sessions(), 1)
	require.Len(t, k.chunks, 1)
	for _, s := range k.sessions {
		require.False(t, s.Armed, "it waits for nothing")
	}
}

// TestTimersAreArmed: whatever happens in whatever order, with state read back
// from its rows at any time, each row that waits for a time has a timer that fires
// then or before.
func TestTimersAreArmed(t *testing.T) {
	fired := 0
	rapid.Check(t, func(t *rapid.T) {
		m := short()
		if rapid.IntRange(0, 4).Draw(t, "lateness") == 0 {
			m.Lateness = 0
		}
		k, now, n := newKept(), start, 0
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.IntRange(0, 6).Draw(t, "step") {
			case 0, 1, 2:
				n++
				late := rapid.SampledFrom([]int64{0, 0, minute, 9 * minute, 30 * minute, 3 * hour}).Draw(t, "late")
				p := backfill(fmt.Sprint("m", n), now-late, now)
				if rapid.IntRange(0, 5).Draw(t, "actor") == 0 {
					p.Actor = ActorBusiness
				}
				k.device.Apply(p, m, now)
			case 3:
				now += rapid.SampledFrom([]int64{1, minute, 10 * minute, 11 * minute, hour, 2 * hour}).Draw(t, "passes")
				before := len(k.timers)
				k.tick(Instant{Now: now, Record: now - rapid.SampledFrom([]int64{0, 0, hour}).Draw(t, "behind")}, m)
				fired += before - len(k.timers)
			case 4:
				k.commit(m)
				k.restart()
			default:
				k.commit(m)
			}
		}
		k.commit(m)
		require.Len(t, k.sessions, len(k.device.Sessions()))
		k.requireArmed(t, m)
		k.restart()
		k.requireArmed(t, m)
		// In the end all is dropped, by the timers alone.
		for i := range 10 {
			now += day + int64(i)
			k.tick(at(now), m)
			k.commit(m)
		}
		if m.Lateness > 0 {
			require.Empty(t, k.sessions)
			require.Empty(t, k.chunks)
			require.Empty(t, k.timers)
		}
	})
	require.Positive(t, fired)
}

// requireArmed asserts that a timer fires when the first of the stored rows is due, or
// before, and that each says so.
func (k *kept) requireArmed(t require.TestingT, m *Model) {
	first := int64(1<<63 - 1)
	for at := range k.timers {
		first = min(first, at)
	}
	require.Len(t, k.sessions, len(k.device.sessions))
	for _, row := range k.sessions {
		if due := row.due(m); due != 0 {
			require.True(t, row.Armed)
			require.LessOrEqual(t, first, due)
		}
	}
	require.Len(t, k.chunks, len(k.device.seen.chunks))
	for _, row := range k.chunks {
		if due := row.due(m); due != 0 {
			require.True(t, row.Armed)
			require.LessOrEqual(t, first, due)
		}
	}
}

// TestSessionThatGoesOnKeepsItsTimer: a touchpoint a second, committed one by one,
// arms a timer each time the old one has fired, not with each touchpoint.
func TestSessionThatGoesOnKeepsItsTimer(t *testing.T) {
	m := short()
	k := newKept()
	for i := range int64(3600) {
		now := start + i*1000
		k.device.Apply(seenAt(fmt.Sprint("m", i), now), m, now)
		k.commit(m)
		k.tick(at(now), m)
		k.commit(m)
	}
	require.Len(t, k.sessions, 1)
	// An hour has six gaps; the messages wait for the session's timer.
	require.LessOrEqual(t, k.timed, 6)
	k.requireArmed(t, m)
}

// TestVisitsShareTheDistantTimer: each visit arms the timer that closes it; that by
// which the first is dropped, long after, is armed once.
func TestVisitsShareTheDistantTimer(t *testing.T) {
	const visits = 10
	m := short()
	m.Lateness = 30 * day
	k := newKept()
	for i := range int64(visits) {
		begin := start + i*3*m.SessionGap
		k.device.Apply(seenAt(fmt.Sprint("m", i), begin), m, start)
		k.commit(m)
		k.tick(Instant{Now: begin + m.SessionGap + 1, Record: start}, m)
		k.commit(m)
	}
	require.Len(t, k.sessions, visits)
	require.LessOrEqual(t, k.timed, visits+1)
	k.requireArmed(t, m)
}

// TestBusyIdentifierIsBounded: ten thousand users, links and messages on one
// identifier leave a bounded state.
func TestBusyIdentifierIsBounded(t *testing.T) {
	m := short()
	k := newKept()
	for i := range int64(10_000) {
		now := start + i*1000
		p := seenAt(fmt.Sprint("m", i), now)
		p.UserID, p.Others = fmt.Sprint("u", i), []string{fmt.Sprint("loyalty:l", i)}
		require.Equal(t, Counted, k.device.Apply(p, m, now))
	}
	c := k.commit(m)
	o := &k.device.Ownership
	require.True(t, o.Frozen)
	require.Len(t, o.Users, m.UserLimit+1)
	require.Empty(t, o.Links)
	require.LessOrEqual(t, len(c.Named), m.UserLimit+2)
	require.True(t, k.device.Oversized, "10,000 messages a day are more than are remembered")
	require.LessOrEqual(t, k.device.Weight(), 2_000+20*MaxHashes)
	require.True(t, k.device.Sessions()[0].Oversized)
}

// TestClocksThatAreOff: an event dated 1970 or 2099 is counted, clamped or late,
// and nothing panics.
func TestClocksThatAreOff(t *testing.T) {
	m := short()
	k := newKept()
	future, ancient := int64(4_070_908_800_000), int64(1)
	for i, original := range []int64{future, ancient, -day, 1<<63 - 1, -1 << 63} {
		for n, backfilled := range []uint32{0, FlagBackfill} {
			p := seenAt(fmt.Sprint("m", i, n), 0)
			p.Received = start
			p.Time, p.Flags, p.Original = EventTime(Times{Original: original, Sent: start, Received: start})
			p.Flags |= backfilled
			got := k.device.Apply(p, m, start)
			switch {
			case original >= future:
				require.Equal(t, Counted, got)
				require.Equal(t, start, p.Time, "set to the arrival")
				require.True(t, p.Has(FlagClamped))
			case original < -1<<62: // the difference to the arrival has no number
			case backfilled == 0:
				require.Equal(t, Late, got)
			default:
				require.Equal(t, Counted, got)
			}
		}
	}
	k.commit(m)
	for i := range int64(4) {
		k.tick(at(start+(i+1)*1000*day), m)
		k.commit(m)
	}
	require.Empty(t, k.timers)
}
