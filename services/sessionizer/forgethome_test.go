package sessionizer

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire"
)

const longProfile = 400 // touchpoints, many times tailFrom

// TestALongProfileIsForgottenWhole: a profile that is stored with its tail, and is in
// memory with its tail alone, leaves no row, and all that was published is withdrawn.
func TestALongProfileIsForgottenWhole(t *testing.T) {
	r, said := longHome(t)
	const home = "anonymous:visitor-1"
	require.NotEmpty(t, homeRows(t, r, home, rowTail), "else the test proves nothing")
	r.queue = append(r.queue, homeForget(home, math.MaxInt64))
	r.commit()
	require.Empty(t, naming(t, r.profile.state, "visitor-1"), "rows and timers of the profile step")
	require.NotEmpty(t, said.journeys)
	for id, last := range said.journeys {
		require.Nil(t, last, "journey %s is no tombstone", id)
	}
	require.NotEmpty(t, said.transitions)
	for key, status := range said.transitions {
		require.Equal(t, "void", status, key)
	}
}

// TestAForgottenHomeKeepsWhatCameAfter: what happened after the request stays, as if
// nothing had been before.
func TestAForgottenHomeKeepsWhatCameAfter(t *testing.T) {
	r, _ := longHome(t)
	const home, keep = "anonymous:visitor-1", 100
	until := costStart + longAfter(longProfile-keep-1)
	r.queue = append(r.queue, homeForget(home, until))
	r.commit()
	fresh := newCostRig(t, shop(t))
	for i := longProfile - keep; i < longProfile; i++ {
		fresh.event(1, longAfter(i))
		fresh.commit()
	}
	for _, kind := range []byte{rowPoints, rowTail} {
		want := homeRows(t, fresh, home, kind)
		require.NotEmpty(t, want)
		require.Len(t, homeRows(t, r, home, kind), len(want), "rows of kind %q", kind)
	}
	load := func(r *costRig) *profileEntry {
		task := profileTaskOf(t, r)
		task.profiles.clear()
		p, err := task.profile(home)
		require.NoError(t, err)
		return p
	}
	kept, want := load(r), load(fresh)
	require.Len(t, kept.Points(), keep)
	for i, p := range want.Points() {
		require.Equal(t, p.OrderKey, kept.Points()[i].OrderKey)
	}
	require.Len(t, kept.Journeys, len(want.Journeys))
	// The next one is read from the tail.
	profileTaskOf(t, r).profiles.clear()
	r.event(1, longAfter(longProfile))
	r.commit()
	require.Len(t, load(r).Points(), keep+1)
}

// TestALongSharedHomeIsForgottenInRanges: two users took turns on a tablet, hundreds
// of touchpoints each. One is forgotten: no row of either step names them any more,
// and the other's profile is as it was.
func TestALongSharedHomeIsForgottenInRanges(t *testing.T) {
	r := newCostRig(t, shop(t))
	var ranges [][2]int64
	const turns, each = 6, 60
	for turn := range turns {
		user := []string{"ida", "jan"}[turn%2]
		for i := range each {
			after := longAfter(turn*each + i)
			if i == 0 {
				if n := len(ranges); n > 0 && user == "jan" {
					ranges[n-1][1] = costStart + after
				} else {
					ranges = append(ranges, [2]int64{costStart + after, math.MaxInt64})
				}
			}
			login := ""
			if i == 0 {
				login = user
			}
			r.tablet(after, login)
			r.commit()
			profileTaskOf(t, r).profiles.clear()
		}
	}
	jan := func() []string {
		task := profileTaskOf(t, r)
		task.profiles.clear()
		p, err := task.profile("user:jan")
		require.NoError(t, err)
		list := []string{}
		for _, pt := range p.Points() {
			list = append(list, fmt.Sprint(pt.OrderKey))
		}
		return list
	}
	before := jan()
	require.Len(t, before, turns/2*each)
	require.NotEmpty(t, homeRows(t, r, "user:ida", rowTail))
	require.NotEmpty(t, naming(t, r.device.state, "ida"))

	secret := []byte("cost")
	e := wire.Erasure{
		ID: "0001", State: wire.ErasureHeld, RequestedMillis: r.now + 1, UntilMillis: math.MaxInt64,
		Subjects: []wire.Subject{
			{Hash: wire.HashIdentifier(secret, "user:ida")},
			{Hash: wire.HashIdentifier(secret, "anonymous:tablet"), Shared: true, Ranges: ranges},
		},
	}
	r.deviceForget(&wire.Forget{Erasure: e, Names: []string{"anonymous:tablet", "user:ida"}})
	r.commit()
	r.commit() // what homes told each other
	r.queue = append(r.queue, homeForget("user:ida", e.UntilMillis))
	r.commit()
	r.commit()
	require.Empty(t, naming(t, r.profile.state, "user:ida"))
	require.Empty(t, naming(t, r.profile.state, "ida\""))
	for _, key := range naming(t, r.device.state, "ida") {
		require.Failf(t, "a row of the device step names the person", "%q", key)
	}
	require.Equal(t, before, jan())
	// What comes late of hers is held back, jan goes on.
	touchpoints := "cost." + stream.TopicTouchpoints
	sent := r.device.sent[touchpoints]
	r.tablet(longAfter(10)+1, "")
	r.tablet(longAfter(turns*each), "")
	r.commit()
	require.Len(t, jan(), len(before)+1)
	require.Equal(t, sent+1, r.device.sent[touchpoints])
}

// TestForgedForgetsAreRejected: who may write to touchpoints.raw, but does not have the
// secret, erases nothing and stops nothing. What they wrote is not kept.
func TestForgedForgetsAreRejected(t *testing.T) {
	r := newCostRig(t, shop(t))
	for i := range 3 {
		r.tablet(longAfter(i), "ida")
		r.commit()
	}
	before := naming(t, r.device.state, "tablet")
	require.NotEmpty(t, before)
	var refused []*kgo.Record
	onward := r.device.onward
	r.device.onward = func(rec *kgo.Record) {
		onward(rec)
		if rec.Topic == "cost."+stream.TopicRejected {
			refused = append(refused, rec)
		}
	}
	f := wire.EncodeForget(&wire.Forget{
		Erasure: wire.Erasure{ID: "0001", UntilMillis: math.MaxInt64}, Names: []string{"anonymous:tablet"},
		Sessions: []wire.ForgetSession{{Identifier: "anonymous:tablet", ID: "x", Keep: [][]byte{{0xff}}}},
		Counted:  []wire.Forgotten{{Minute: -1, Touchpoints: 1 << 63}},
	})
	for _, mac := range []string{"", "00", wire.ForgetMAC([]byte("another"), f), wire.ForgetMAC([]byte("cost"), f[1:])} {
		r.sendForget(f, mac)
	}
	r.commit()
	require.Subset(t, naming(t, r.device.state, "tablet"), before)
	require.Len(t, refused, 4)
	for _, rec := range refused {
		require.Empty(t, rec.Value)
	}
}

// TestASecondErasureDoesNotLeaveToTheFirst: two erasures of the same person, the first
// of which was never told to this partition as a record. The second leaves nothing.
func TestASecondErasureDoesNotLeaveToTheFirst(t *testing.T) {
	r := newCostRig(t, shop(t))
	r.tablet(0, "ida")
	r.commit()
	e := wire.Erasure{
		ID: "0001", State: wire.ErasureHeld, RequestedMillis: r.now + 1, UntilMillis: math.MaxInt64,
		Subjects: []wire.Subject{{Hash: wire.HashIdentifier([]byte("cost"), "user:ida")}, {Hash: wire.HashIdentifier([]byte("cost"), "anonymous:tablet")}},
	}
	task, ok := r.device.task.(*deviceTask)
	require.True(t, ok)
	task.erasures.Add(&e)
	e.ID = "0002"
	r.deviceForget(&wire.Forget{Erasure: e, Names: []string{"anonymous:tablet", "user:ida"}})
	r.commit()
	require.Empty(t, naming(t, r.device.state, "ida"))
	require.Empty(t, naming(t, r.device.state, "tablet"))
}

// longAfter is when the i-th event of a long profile happens, ms after the start.
func longAfter(i int) int64 { return int64(i) * 7 * time.Minute.Milliseconds() }

// published is the newest of what was said of each journey and transition.
type published struct {
	journeys    map[string][]byte
	transitions map[string]string // status
}

// longHome is a rig with a long profile of which only the tail is in memory.
func longHome(t *testing.T) (*costRig, *published) {
	t.Helper()
	r := newCostRig(t, shop(t))
	said := &published{map[string][]byte{}, map[string]string{}}
	r.profile.onward = func(rec *kgo.Record) {
		switch {
		case strings.HasSuffix(rec.Topic, stream.TopicJourneys):
			said.journeys[string(rec.Key)] = rec.Value
		case strings.HasSuffix(rec.Topic, stream.TopicTransitions):
			var tr journey.Transition
			require.NoError(t, wire.DecodeTransition(rec.Value, &tr))
			said.transitions[fmt.Sprint(tr.JourneyID, "/", tr.Seq)] = tr.Status
		}
	}
	for i := range longProfile {
		if i == longProfile-1 {
			profileTaskOf(t, r).profiles.clear()
		}
		r.event(1, longAfter(i))
		r.commit()
	}
	p, ok := profileTaskOf(t, r).profiles.get("anonymous:visitor-1")
	require.True(t, ok && p.TailOnly(), "the profile is in memory without its points")
	return r, said
}

func profileTaskOf(t *testing.T, r *costRig) *profileTask {
	t.Helper()
	task, ok := r.profile.task.(*profileTask)
	require.True(t, ok)
	return task
}

// homeForget is the record that has a home forgotten.
func homeForget(home string, until int64) *kgo.Record {
	return &kgo.Record{
		Topic: "cost." + stream.TopicTouchpoints, Key: []byte(home),
		Value:   wire.EncodeForget(&wire.Forget{Erasure: wire.Erasure{ID: "0001", UntilMillis: until}}),
		Headers: []kgo.RecordHeader{{Key: wire.HeaderType, Value: []byte(wire.TypeForget)}},
	}
}

// deviceForget has the device step forget.
func (r *costRig) deviceForget(f *wire.Forget) {
	value := wire.EncodeForget(f)
	r.sendForget(value, wire.ForgetMAC([]byte("cost"), value))
}

func (r *costRig) sendForget(value []byte, mac string) {
	rec := &kgo.Record{
		Topic: "cost." + stream.TopicRaw, Value: value, Timestamp: time.UnixMilli(r.now),
		Headers: []kgo.RecordHeader{{Key: wire.HeaderType, Value: []byte(wire.TypeForget)}, {Key: wire.HeaderMAC, Value: []byte(mac)}},
	}
	r.device.spend(func() error { return r.device.task.Process(rec, &r.device) })
}

// tablet is an event on a tablet that several use; a user logs in with it, unless it
// is empty.
func (r *costRig) tablet(after int64, user string) {
	r.now = costStart + after
	at := time.UnixMilli(r.now).UTC().Format("2006-01-02T15:04:05.000Z07:00")
	what := `"type":"track","event":"Product Viewed"`
	if user != "" {
		what = `"type":"identify","userId":"` + user + `"`
	}
	rec := &kgo.Record{
		Topic: "cost." + stream.TopicRaw, Key: []byte("tablet"), Timestamp: time.UnixMilli(r.now),
		Value: fmt.Appendf(nil, `{"messageId":"t-%d",%s,"anonymousId":"tablet","timestamp":"%s","receivedAt":"%s"}`, after, what, at, at),
	}
	r.device.spend(func() error {
		r.device.state.Arrive(r.now)
		return r.device.task.Process(rec, &r.device)
	})
}

// homeRows are the keys of a home's rows of one kind.
func homeRows(t *testing.T, r *costRig, home string, kind byte) (keys []string) {
	t.Helper()
	require.NoError(t, r.profile.state.Scan(append(rowPrefix(tableProfile, home), kind), func(key, _ []byte) error {
		keys = append(keys, string(key))
		return nil
	}))
	return keys
}

// naming are the keys of all rows in which a word stands.
func naming(t *testing.T, state *stream.State, word string) (keys []string) {
	t.Helper()
	for first := range 256 {
		require.NoError(t, state.Scan([]byte{byte(first)}, func(key, value []byte) error {
			if bytes.Contains(key, []byte(word)) || bytes.Contains(value, []byte(word)) {
				keys = append(keys, string(slices.Clone(key)))
			}
			return nil
		}))
	}
	return keys
}
