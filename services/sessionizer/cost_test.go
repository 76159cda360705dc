package sessionizer

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/model"
	"github.com/cairnhq/cairn/pkg/stream"
)

const (
	// costPoints is how many touchpoints the profiles of a case have together,
	// whatever their age: few enough for the caches to hold them.
	costPoints = 20_000
	// costBatch is how many events a transaction has, each of another profile.
	costBatch = 5
)

// BenchmarkCost is what one more event of a known profile costs the two steps, by the
// size of the model and by the age of the profile: 1, 10 and 100 times as much of
// each, or as much as a model may have. "make bench" prints it as a table.
//
// Profiles age while it runs, so run it so many times that the youngest grow by no
// more than a tenth: -benchtime 2000x.
//
// The processor time is that of all goroutines, the garbage collector's included;
// what Kafka and the disk cost is not in it. Rows and bytes are those of the state,
// which go to the changelog; records are those to other topics.
func BenchmarkCost(b *testing.B) {
	for _, c := range costCases() {
		for i, x := range []string{"1x", "10x", "100x"} {
			n := c.sizes[i]
			b.Run(fmt.Sprintf("%s/%s/%d", c.name, x, n), func(b *testing.B) { c.run(b, n) })
		}
	}
}

// costCase is a quantity that grows, and what is measured at a size.
type costCase struct {
	name  string
	sizes [3]int
	run   func(b *testing.B, n int)
}

func costCases() []costCase {
	const young = 40
	ages := [3]int{young, 10 * young, 100 * young}
	return []costCase{
		{"rules", [3]int{1, 10, journey.MaxRules}, func(b *testing.B, n int) {
			b.Helper()
			measureCost(b, costModel(b, costRules(n, "events: [never_%d]")), young, overDays, false)
		}},
		{"rules-without-events", [3]int{1, 10, journey.MaxRules}, func(b *testing.B, n int) {
			b.Helper()
			measureCost(b, costModel(b, costRules(n, "type: track, where: 'properties.items == -%d'")), young, overDays, false)
		}},
		{"frictions", [3]int{1, 10, journey.MaxFrictions}, func(b *testing.B, n int) {
			b.Helper()
			measureCost(b, costModel(b, costRules(1, "")+costFrictions(n)), young, overDays, false)
		}},
		{"personas", [3]int{1, 10, model.MaxPersonas}, func(b *testing.B, n int) {
			b.Helper()
			measureCost(b, costModel(b, costRules(1, "")+costPersonas(n)), young, overDays, false)
		}},
		{"points-over-days", ages, func(b *testing.B, n int) {
			b.Helper()
			measureCost(b, shop(b), n, overDays, false)
		}},
		{"points-within-an-hour", ages, func(b *testing.B, n int) {
			b.Helper()
			measureCost(b, shop(b), n, withinAnHour, false)
		}},
		{"points-over-days-uncached", ages, func(b *testing.B, n int) {
			b.Helper()
			measureCost(b, shop(b), n, overDays, true)
		}},
	}
}

// overDays is when the i-th event of a profile happens, in ms: four within a quarter
// of an hour, every two hours.
func overDays(i, _ int) int64 {
	return (time.Duration(i/4)*2*time.Hour + time.Duration(i%4)*5*time.Minute).Milliseconds()
}

// withinAnHour spreads as many events as a profile has over an hour.
func withinAnHour(i, age int) int64 { return time.Hour.Milliseconds() * int64(i) / int64(age) }

func measureCost(b *testing.B, m *journey.Model, age int, when func(i, age int) int64, cold bool) {
	b.Helper()
	r := newCostRig(b, m)
	profiles := costPoints / age
	next := 0
	batch := func(n int) {
		for range n {
			r.event(next%profiles, when(next/profiles, age))
			next++
		}
		r.commit()
		if cold && next > costPoints {
			r.device.task.(*deviceTask).devices.clear()
			r.profile.task.(*profileTask).profiles.clear()
		}
	}
	for next < costPoints {
		batch(costBatch)
	}
	r.device.reset()
	r.profile.reset()
	ops := 0
	for b.Loop() {
		// A transaction's worth at a time; the last one may be larger than asked for.
		if ops%costBatch == 0 {
			batch(costBatch)
		}
		ops++
	}
	done := float64(next - costPoints)
	require.InDelta(b, done, float64(r.profile.sent[r.profile.journeys]), 0, "each event must publish its journey")
	for _, s := range []*costStep{&r.device, &r.profile} {
		b.ReportMetric(float64(s.cpu)/done, s.name+"-cpu-ns/op")
		b.ReportMetric(float64(s.rows)/done, s.name+"-rows/op")
		b.ReportMetric(float64(s.bytes)/done, s.name+"-bytes/op")
		b.ReportMetric(float64(s.records)/done, s.name+"-records/op")
	}
}

// costRig is both steps on one partition, without Kafka: what the device step writes
// to touchpoints the profile step reads.
type costRig struct {
	b               testing.TB
	device, profile costStep
	now             int64
	queue           []*kgo.Record
}

// costStep is one of them, and what it has cost.
type costStep struct {
	name     string
	b        testing.TB
	task     stream.Task
	state    *stream.State
	journeys string // topic
	onward   func(r *kgo.Record)

	cpu                  time.Duration
	rows, bytes, records int
	sent                 map[string]int // records by topic
}

func newCostRig(tb testing.TB, m *journey.Model, change ...func(*Options)) *costRig {
	tb.Helper()
	r := &costRig{b: tb}
	o := &Options{Namespace: "cost", Model: m, Secret: []byte("cost")}
	for _, c := range change {
		c(o)
	}
	met := newMetrics(nil)
	touchpoints := stream.Qualify(o.Namespace, stream.TopicTouchpoints)
	r.device = costStep{name: "device", b: tb, state: stream.NewState(stream.NewMemoryStore()), onward: func(rec *kgo.Record) {
		if rec.Topic == touchpoints {
			r.queue = append(r.queue, rec)
		}
	}}
	r.profile = costStep{name: "profile", b: tb, state: stream.NewState(stream.NewMemoryStore()), journeys: stream.Qualify(o.Namespace, stream.TopicJourneys)}
	var err error
	r.device.task, err = newDeviceTask(o, met, 0, 1, r.device.state)
	require.NoError(tb, err)
	r.profile.task, err = newProfileTask(o, met, r.profile.state)
	require.NoError(tb, err)
	r.device.reset()
	r.profile.reset()
	return r
}

// costStart is when the first event of a case happens.
const costStart = 1_767_600_000_000

// event lets a visitor look at a product, so many ms after the start.
func (r *costRig) event(visitor int, after int64) {
	r.now = costStart + after
	id := "visitor-" + strconv.Itoa(visitor)
	at := time.UnixMilli(r.now).UTC().Format("2006-01-02T15:04:05.000Z07:00")
	value := fmt.Sprintf(`{"messageId":"%s-%d","type":"track","event":"Product Viewed","anonymousId":"%s","timestamp":"%s","receivedAt":"%s",`+
		`"channel":"web","context":{"page":{"url":"https://shop.example/p/1","referrer":"https://search.example/"}},"properties":{"items":1}}`,
		id, after, id, at, at)
	rec := &kgo.Record{Topic: "cost.touchpoints.raw", Key: []byte(id), Value: []byte(value), Timestamp: time.UnixMilli(r.now)}
	r.device.spend(func() error {
		r.device.state.Arrive(r.now)
		return r.device.task.Process(rec, &r.device)
	})
}

// commit ends the transactions of both steps.
func (r *costRig) commit() {
	r.device.commit(r.now)
	r.profile.spend(func() error {
		for _, rec := range r.queue {
			r.profile.state.Arrive(r.now)
			if err := r.profile.task.Process(rec, &r.profile); err != nil {
				return err
			}
		}
		return nil
	})
	r.queue = r.queue[:0]
	r.profile.commit(r.now)
}

// Produce implements stream.Output.
func (s *costStep) Produce(r *kgo.Record) {
	s.sent[r.Topic]++
	s.records++
	if s.onward != nil {
		s.onward(r)
	}
}

func (s *costStep) commit(now int64) {
	clock := stream.Clock{Wall: now}
	s.spend(func() error {
		if s.task.Due(clock) {
			if err := s.task.Tick(clock, s); err != nil {
				return err
			}
		}
		if err := s.task.Flush(clock, s); err != nil {
			return err
		}
		changes, err := s.state.Fold()
		s.rows += len(changes)
		for _, c := range changes {
			s.bytes += len(c.Key) + len(c.Value)
		}
		s.task.Committed()
		return err
	})
}

// spend counts the processor time of fn.
func (s *costStep) spend(fn func() error) {
	began := s.used()
	if err := fn(); err != nil {
		s.b.Fatal(err)
	}
	s.cpu += s.used() - began
}

func (s *costStep) used() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		s.b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// reset forgets what was spent.
func (s *costStep) reset() { s.cpu, s.rows, s.bytes, s.records, s.sent = 0, 0, 0, 0, map[string]int{} }

func shop(tb testing.TB) *journey.Model {
	tb.Helper()
	m, err := model.Builtin("shop")
	require.NoError(tb, err)
	return m
}

func costModel(b *testing.B, sections string) *journey.Model {
	b.Helper()
	m, err := model.Load([]byte("version: 1\n"+sections), "cost.yaml")
	require.NoError(b, err, sections)
	return m
}

// costRules are n rules, in as many stages as a model may have. The first is the one
// that the events match; rule, which takes a number, is how the others look.
func costRules(n int, rule string) string {
	var b strings.Builder
	b.WriteString("stages:\n")
	stages := min(n, model.MaxStages)
	for s := range stages {
		fmt.Fprintf(&b, "  - name: stage_%d\n    enter:\n", s)
		for i := s; i < n; i += stages {
			if i == 0 {
				b.WriteString("      - {events: [product_viewed]}\n")
				continue
			}
			fmt.Fprintf(&b, "      - {"+rule+"}\n", i)
		}
	}
	return b.String()
}

// costFrictions are n patterns of all kinds. The first looks at every event.
func costFrictions(n int) string {
	var b strings.Builder
	b.WriteString("friction:\n  - {name: again, repetition: {events: [product_viewed], by: properties.query, at_least: 3, within: 5m}}\n")
	for i := 1; i < n; i++ {
		switch i % 3 {
		case 0:
			fmt.Fprintf(&b, "  - {name: event_%d, event: never_%d}\n", i, i)
		case 1:
			fmt.Fprintf(&b, "  - {name: absence_%d, absence: {after: never_%d, without: also_never_%d, for: 30m}}\n", i, i, i)
		case 2:
			fmt.Fprintf(&b, "  - {name: repetition_%d, repetition: {events: [never_%d], at_least: 3, within: 5m}}\n", i, i)
		}
	}
	return b.String()
}

// costPersonas are n personas of which none holds, so that all are tried.
func costPersonas(n int) string {
	var b strings.Builder
	b.WriteString("personas:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - {name: persona_%d, where: 'events.product_viewed < 0 - %d'}\n", i, i)
	}
	return b.String()
}
