package journeytest

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/model"
)

// Engine turns touchpoints, applied one by one in arrival order, into the final
// tables. Finish is called once, with the clock in Unix milliseconds.
type Engine interface {
	Apply(t journey.Touchpoint)
	Finish(now int64) *Answer
}

// BatchEngine is the brute-force model as an Engine.
func BatchEngine(m *journey.Model) Engine { return &batchEngine{m: m} }

type batchEngine struct {
	m   *journey.Model
	log []journey.Touchpoint
}

func (b *batchEngine) Apply(t journey.Touchpoint) { b.log = append(b.log, t) }
func (b *batchEngine) Finish(now int64) *Answer   { return Batch(b.m, b.log, now) }

// RunScenarios runs every file in dir as a subtest. A file is a story in
// datadriven's format (directive, input, "----", expected output); with the
// flag -rewrite the expected outputs are replaced by the actual ones.
//
//	model NAME [session-gap=30m] [journey-gap=90d] [user-limit=10] [goal=STAGE]
//	    a built-in model; or with a journey.yaml as input and no name
//	events
//	    one touchpoint a line; see ParseEvent. What is nobody's is rejected
//	clock d2 12:00
//	    when to look; by default a minute after the last event
//	owners | sessions | journeys | transitions | frictions | counts | all
//	    the rows of that table
//	visits | sentiment | personas | intent
//	    more about sessions (channels, pages, events) and journeys
//	shuffle n=50 seed=1 [parts=(sessions, journeys)] [keep-first]
//	    applies the same events in n random orders, with random duplicates, and
//	    demands the same answer each time. Where copies disagree the first must
//	    stay the first: keep-first
//	reset
//	    forgets the events, keeps the model
func RunScenarios(t *testing.T, dir string, newEngine func(*journey.Model) Engine) {
	t.Helper()
	files := 0
	datadriven.Walk(t, dir, func(t *testing.T, path string) {
		t.Helper()
		files++
		s := &scenario{newEngine: newEngine}
		datadriven.RunTest(t, path, s.directive)
	})
	if files == 0 {
		t.Fatalf("no scenarios in %s", dir)
	}
}

// scenario is a file being run.
type scenario struct {
	newEngine func(*journey.Model) Engine
	model     *journey.Model
	log       []journey.Touchpoint
	clock     int64
}

func (s *scenario) directive(t *testing.T, d *datadriven.TestData) string {
	t.Helper()
	if s.model == nil && d.Cmd != "model" {
		d.Fatalf(t, "a scenario begins with a model")
	}
	switch d.Cmd {
	case "model":
		m, err := scenarioModel(d)
		if err != nil {
			return err.Error()
		}
		s.model = m
		return m.Name[:strings.IndexByte(m.Name+"@", '@')]
	case "events":
		return s.events(t, d)
	case "reset":
		s.log, s.clock = nil, 0
		return ""
	case "clock":
		at, err := parseClock(argWords(d))
		if err != nil {
			d.Fatalf(t, "%v", err)
		}
		s.clock = at
		return Clock(at)
	case "all":
		return s.run(s.log).String()
	case "shuffle":
		return s.shuffle(t, d)
	}
	if slices.Contains(append(Parts(), Views()...), d.Cmd) {
		return joinLines(s.run(s.log).Lines(d.Cmd))
	}
	d.Fatalf(t, "unknown directive %q", d.Cmd)
	return ""
}

func joinLines(lines []string) string {
	if len(lines) == 0 {
		return "none"
	}
	return strings.Join(lines, "\n")
}

// run gives the log to a new engine.
func (s *scenario) run(log []journey.Touchpoint) *Answer {
	e := s.newEngine(s.model)
	for _, t := range log {
		e.Apply(t)
	}
	return e.Finish(s.now())
}

// now is the clock, or a minute after the last event.
func (s *scenario) now() int64 {
	now := s.clock
	if now == 0 {
		for _, t := range s.log {
			now = max(now, t.Time+minute)
		}
	}
	return now
}

func (s *scenario) events(t *testing.T, d *datadriven.TestData) string {
	t.Helper()
	n, rejected := 0, 0
	for line := range strings.SplitSeq(d.Input, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		p, err := ParseEvent(line)
		if errors.Is(err, errNobody) {
			rejected++
			continue
		}
		if err != nil {
			d.Fatalf(t, "%s: %v", line, err)
		}
		if p.MessageID == "" {
			p.MessageID = fmt.Sprintf("m%d", len(s.log)+1)
		}
		p.RawOffset = int64(len(s.log))
		s.log = append(s.log, p)
		n++
	}
	if rejected > 0 {
		return fmt.Sprintf("%d touchpoints, %d rejected", n, rejected)
	}
	return fmt.Sprintf("%d touchpoints", n)
}

// shuffle compares other orders of arrival with the file's.
func (s *scenario) shuffle(t *testing.T, d *datadriven.TestData) string {
	t.Helper()
	n, seed := 50, 1
	d.MaybeScanArgs(t, "n", &n)
	d.MaybeScanArgs(t, "seed", &seed)
	parts := []string{PartOwners, PartSessions, PartJourneys, PartTransitions, PartFrictions}
	if arg, ok := d.Arg("parts"); ok {
		parts = arg.Vals
	}
	want := s.run(s.log)
	for i := range n {
		r := rand.New(rand.NewPCG(uint64(seed), uint64(i))) //nolint:gosec // seeded on purpose: a failure must repeat
		log := slices.Clone(s.log)
		for range r.IntN(len(log) + 1) {
			log = append(log, log[r.IntN(len(s.log))])
		}
		r.Shuffle(len(log), func(a, b int) { log[a], log[b] = log[b], log[a] })
		if d.HasArg("keep-first") {
			keepFirst(log)
		}
		if diff := Diff(want, s.run(log), parts...); diff != "" {
			return fmt.Sprintf("order %d of seed %d differs:\n%sarrival: %s", i, seed, diff, arrival(log))
		}
	}
	return fmt.Sprintf("%d orders, the same answer", n)
}

// keepFirst puts the copies of each message into the order they had in the file,
// on the places that they have together.
func keepFirst(log []journey.Touchpoint) {
	places := map[Point][]int{}
	for i := range log {
		places[pointOf(&log[i])] = append(places[pointOf(&log[i])], i)
	}
	for _, at := range places {
		copies := make([]journey.Touchpoint, 0, len(at))
		for _, i := range at {
			copies = append(copies, log[i])
		}
		slices.SortStableFunc(copies, func(a, b journey.Touchpoint) int { return cmp.Compare(a.RawOffset, b.RawOffset) })
		for k, i := range at {
			log[i] = copies[k]
		}
	}
}

func arrival(log []journey.Touchpoint) string {
	ids := make([]string, 0, len(log))
	for i := range log {
		ids = append(ids, log[i].MessageID)
	}
	return strings.Join(ids, " ")
}

// argWords are a directive's arguments without values.
func argWords(d *datadriven.TestData) []string {
	words := make([]string, 0, len(d.CmdArgs))
	for _, a := range d.CmdArgs {
		words = append(words, a.Key)
	}
	return words
}

// scenarioModel loads the model a directive names, or spells out as its input,
// and changes what the arguments say.
func scenarioModel(d *datadriven.TestData) (m *journey.Model, err error) {
	switch {
	case d.Input != "":
		m, err = model.Load([]byte(d.Input), "scenario.yaml")
	case len(d.CmdArgs) == 0:
		err = errors.New("name a built-in model, or give a journey.yaml as input")
	default:
		m, err = model.Builtin(d.CmdArgs[0].Key)
	}
	if err != nil {
		return nil, err
	}
	for _, arg := range d.CmdArgs {
		if len(arg.Vals) == 0 {
			continue
		}
		switch arg.Key {
		case "session-gap":
			m.SessionGap, err = model.ParseDuration(arg.Vals[0])
		case "journey-gap":
			m.JourneyGap, err = model.ParseDuration(arg.Vals[0])
		case "user-limit":
			m.UserLimit, err = strconv.Atoi(arg.Vals[0])
		case "goal":
			m.Goal = slices.IndexFunc(m.Stages, func(s journey.Stage) bool { return s.Name == arg.Vals[0] })
			if m.Goal < 0 {
				err = fmt.Errorf("no stage %q", arg.Vals[0])
			}
		default:
			err = fmt.Errorf("unknown argument %q", arg.Key)
		}
		if err != nil {
			return nil, err
		}
	}
	return m, nil
}
