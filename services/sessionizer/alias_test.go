package sessionizer

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/journey/journeytest"
	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire"
)

// TestNothingKeepsARecordsMemory: what comes of records is the same when all of them
// come in the same few pieces of memory, as the engine has it; with states that stay in
// memory, and with ones that are read from their rows again.
func TestNothingKeepsARecordsMemory(t *testing.T) {
	for i, c := range []struct {
		m     *journey.Model
		cache int
	}{{shop(t), 0}, {shop(t), 1}, {journeytest.FullModel(), 0}, {journeytest.FullModel(), 1}} {
		seed := uint64(i + 7)
		want := newAliasRig(t, c.m, c.cache, 1_000_000).play(seed)
		for _, pieces := range []int{1, 2, 5} {
			t.Run(fmt.Sprintf("%s, cache of %d, %d pieces", c.m.Name, c.cache, pieces), func(t *testing.T) {
				requireSaid(t, want, newAliasRig(t, c.m, c.cache, pieces).play(seed))
			})
		}
	}
}

// TestSheddingChangesNothing: what is written to topics is the same when all that was
// decoded goes now and then, and to rows, but for what a device knows of its timers.
func TestSheddingChangesNothing(t *testing.T) {
	for i, m := range []*journey.Model{shop(t), journeytest.FullModel()} {
		seed := uint64(i + 70)
		want := newAliasRig(t, m, 0, 1_000_000)
		got := newAliasRig(t, m, 0, 1_000_000)
		got.sheds = true
		ofTimers := func(said string) bool {
			return strings.HasPrefix(said, `device row "t`) || strings.HasPrefix(said, `device row "d`)
		}
		requireSaid(t, slices.DeleteFunc(want.play(seed), ofTimers), slices.DeleteFunc(got.play(seed), ofTimers))
	}
}

// requireSaid compares, and shows the first difference alone.
func requireSaid(t *testing.T, want, got []string) {
	t.Helper()
	for i := range min(len(want), len(got)) {
		require.Equal(t, want[i], got[i])
	}
	require.Equal(t, len(want), len(got)) //nolint:testifylint // Len would show all of it
}

// aliasRig runs both steps, and notes all that they say.
type aliasRig struct {
	*costRig

	t      *testing.T
	memory [][]byte      // of records, in turns
	sheds  bool          // what the state has goes now and then
	n      int           // records so far
	sent   []*kgo.Record // of the open transaction
	said   []string
	topic  map[string]int
}

func newAliasRig(t *testing.T, m *journey.Model, cacheSize, pieces int) *aliasRig {
	t.Helper()
	r := &aliasRig{t: t, memory: make([][]byte, pieces), topic: map[string]int{}}
	r.costRig = newCostRig(t, m, func(o *Options) { o.cacheBytes = cacheSize })
	onward := r.device.onward
	r.device.onward = func(rec *kgo.Record) {
		r.note(rec)
		onward(rec)
	}
	r.profile.onward = r.device.onward // homes tell each other, too
	return r
}

// note remembers a record to be looked at when the transaction is complete.
func (r *aliasRig) note(rec *kgo.Record) { r.sent = append(r.sent, rec) }

// process hands a task a copy of a record, which is where an earlier one was.
func (r *aliasRig) process(s *costStep, rec *kgo.Record) {
	r.n++
	memory := &r.memory[r.n%len(r.memory)]
	if *memory == nil {
		*memory = make([]byte, 4096)
	}
	rest := *memory
	for i := range rest {
		rest[i] = 0
	}
	own := func(b []byte) []byte {
		n := copy(rest, b)
		require.Len(r.t, b, n)
		b, rest = rest[:n:n], rest[n:]
		return b
	}
	c := *rec
	c.Key, c.Value, c.Headers = own(rec.Key), own(rec.Value), nil
	for _, h := range rec.Headers {
		c.Headers = append(c.Headers, kgo.RecordHeader{Key: h.Key, Value: own(h.Value)})
	}
	s.state.Arrive(rec.Timestamp.UnixMilli())
	require.NoError(r.t, s.task.Process(&c, s))
}

// flush ends a step's transaction, and says what it wrote.
func (r *aliasRig) flush(s *costStep) {
	clock := stream.Clock{Wall: r.now}
	require.NoError(r.t, s.task.Tick(clock, s))
	require.NoError(r.t, s.task.Flush(clock, s))
	for _, rec := range r.sent {
		r.topic[rec.Topic]++
		r.said = append(r.said, fmt.Sprintf("%s %q %q %q", rec.Topic, rec.Key, rec.Value, rec.Headers))
	}
	r.sent = r.sent[:0]
	changes, err := s.state.Fold()
	require.NoError(r.t, err)
	for _, c := range changes {
		r.said = append(r.said, fmt.Sprintf("%s row %q %q", s.name, c.Key, c.Value))
	}
}

// play lets a few visitors do everything, in transactions of some events.
func (r *aliasRig) play(seed uint64) []string {
	rnd := rand.New(rand.NewPCG(seed, 1))
	var again []*kgo.Record
	for i := range 2000 {
		r.now = costStart + int64(i)*20_000
		rec := aliasEvent(rnd, i, r.now)
		if len(again) > 0 && rnd.IntN(40) == 0 {
			rec = again[rnd.IntN(len(again))]
		}
		again = append(again, rec)
		r.process(&r.device, rec)
		if rnd.IntN(12) > 0 {
			continue
		}
		r.flush(&r.device)
		queue := r.queue
		r.queue = nil
		for _, rec := range queue {
			c := *rec
			c.Timestamp = time.UnixMilli(r.now)
			r.process(&r.profile, &c)
		}
		r.device.task.Committed()
		r.flush(&r.profile)
		r.profile.task.Committed()
		for _, s := range []*costStep{&r.device, &r.profile} {
			trimmer, ok := s.task.(stream.Trimmer)
			require.True(r.t, ok)
			trimmer.Trim()
			if r.sheds && r.n%3 == 0 {
				trimmer.Shed()
			}
		}
	}
	for _, topic := range []string{
		stream.TopicRaw, stream.TopicRejected, stream.TopicLate, stream.TopicTouchpoints, stream.TopicSessions,
		stream.TopicIdentities, stream.TopicJourneys, stream.TopicTransitions, stream.TopicFrictions, stream.TopicQuality,
	} {
		require.Positive(r.t, r.topic[stream.Qualify("cost", topic)], "nothing was written to %s", topic)
	}
	return r.said
}

// aliasEvent is a raw record of one kind or another.
func aliasEvent(rnd *rand.Rand, i int, now int64) *kgo.Record {
	who := rnd.IntN(200)
	visitor, user := fmt.Sprintf("visitor-%d", who), fmt.Sprintf("user-%d", who/2)
	if rnd.IntN(20) == 0 {
		user = fmt.Sprintf("user-%d", rnd.IntN(100))
	}
	stamp := func(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339Nano) }
	at := now
	switch rnd.IntN(30) {
	case 0:
		at -= rnd.Int64N(3 * 60 * 60 * 1000)
	case 1:
		at -= 40 * 24 * 60 * 60 * 1000
	}
	event := []string{
		"Product Viewed", "Product Added", "Checkout Started", "Order Completed", "Payment Failed", "Review Submitted",
		"Products Searched", "Rage Click", "Ticket Opened", "Demo Requested",
	}[rnd.IntN(10)]
	more := ""
	switch rnd.IntN(12) {
	case 0, 1:
		more = fmt.Sprintf(`,"userId":%q`, user)
	case 2:
		more = fmt.Sprintf(`,"userId":%q,"externalIds":[{"type":"email","id":"who%d@example.com"}],"traits":{"plan":"gold"}`, user, rnd.IntN(9))
	case 3:
		more = fmt.Sprintf(`,"traits":{"plan":"plan-%d","coupons":%d}`, i%5, i%3)
	}
	if rnd.IntN(3) == 0 {
		more += fmt.Sprintf(`,"source":"till-%d"`, i%3)
	}
	click := []string{"gclid", "dclid", "yclid", "tblci"}[rnd.IntN(4)] // of one length: they may be where another was
	typ := "track"
	if rnd.IntN(40) == 0 {
		typ, more = "alias", fmt.Sprintf(`,"userId":%q,"previousId":"user-%d"`, user, rnd.IntN(100))
	}
	value := fmt.Sprintf(`{"messageId":"m-%d","type":%q,"event":%q,"anonymousId":%q,"timestamp":%q,"receivedAt":%q,"channel":"web"%s,`+
		`"context":{"page":{"url":"https://shop.example/p/%d?utm_source=s%d&%s=c%d","referrer":"https://search%d.example/"},"userAgent":"Agent/%d","ip":"10.0.%d.7"},`+
		`"properties":{"revenue":%d,"rating":%d,"text":"it is %d times bad","query":"shoes %d"}}`,
		i, typ, event, visitor, stamp(at), stamp(now), more, 10+i%90, i%4, click, i, i%7, i%9, i%200, i%50, i%5, i, i%4)
	rec := &kgo.Record{Topic: "cost.touchpoints.raw", Key: []byte(visitor), Value: []byte(value), Timestamp: time.UnixMilli(now), Offset: int64(i)}
	rec.Headers = []kgo.RecordHeader{{Key: wire.HeaderSource, Value: fmt.Appendf(nil, "source-%d", i%3)}}
	switch rnd.IntN(50) {
	case 0:
		rec.Value = fmt.Appendf(nil, "{broken %d", i)
	case 1:
		rec.Key = []byte("somebody else")
	case 2:
		rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: wire.HeaderReason, Value: []byte("bad_thing")}, kgo.RecordHeader{Key: wire.HeaderBackfill, Value: []byte("1")})
	}
	return rec
}
