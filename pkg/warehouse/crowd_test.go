package warehouse

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// walk is a made-up journey, kept beside what is written of it so that a test can
// compute answers from it without SQL.
type walk struct {
	profile   string
	start     int64
	robot     bool
	latest    bool
	points    []*wirepb.Touchpoint
	stageAt   []int // of each point, 0: none yet
	furthest  int
	converted bool
	goalAt    int64
	revenue   int64
	friction  []*journey.Friction
	steps     []*wire.Transition
}

// crowdStages are the stages of the crowd's model; the goal is the fourth.
func crowdStages() []string {
	return []string{"awareness", "consideration", "decision", "purchase", "retention"}
}

func crowdModel() *journey.Model {
	const day = 24 * 60 * 60 * 1000
	m := &journey.Model{Name: "crowd", SessionGap: 30 * 60 * 1000, JourneyGap: 90 * day, Lateness: 30 * day, Goal: 3}
	for _, name := range crowdStages() {
		m.Stages = append(m.Stages, journey.Stage{Name: name})
	}
	return m.Compile()
}

// newCrowd makes journeys at random and writes them into a namespace of its own.
func newCrowd(t *testing.T, seed uint64, profiles int) (*house, []*walk) {
	t.Helper()
	h := newHouse(t)
	require.NoError(t, PutModel(t.Context(), h.conn, h.ns, crowdModel()))
	rng := rand.New(rand.NewPCG(seed, 7)) //nolint:gosec // made-up data
	var list []*walk
	for i := range profiles {
		profile, robot := fmt.Sprintf("anonymous:%03d", i), rng.IntN(20) == 0
		n := 1 + rng.IntN(2)
		for k := range n {
			w := &walk{profile: profile, robot: robot, latest: k == n-1, start: minute(60 * 24 * (rng.IntN(40) - 400 + 200*k))}
			w.take(rng, fmt.Sprintf("%03d/%d", i, k))
			list = append(list, w)
		}
	}
	h.write(list)
	return h, list
}

// take walks.
func (w *walk) take(rng *rand.Rand, id string) {
	stages := crowdStages()
	at, entered, session := w.start, int64(0), 0
	channel, group := "web", "Direct"
	for n := range 1 + rng.IntN(16) {
		if n == 0 || rng.IntN(3) == 0 {
			session++
			at += int64(40+rng.IntN(5000)) * 60_000
			channel = []string{"web", "web", "app", "store", "email"}[rng.IntN(5)]
			group = []string{"Direct", "Email", "Organic Search", "Paid Social", "Referral"}[rng.IntN(5)]
		}
		at += int64(1+rng.IntN(900)) * 1000
		p := touch(fmt.Sprintf("%s/%d", id, n), w.profile, at)
		p.SessionId, p.Channel, p.ChannelGroup = fmt.Sprintf("%s/%d", id, session), channel, group
		p.Event = fmt.Sprintf("event_%02d", min(rng.IntN(14), rng.IntN(14)))
		if w.robot {
			p.Flags = 1
		}
		if rng.IntN(5) == 0 {
			p.Sentiment, p.SentimentSource = int32(rng.IntN(401)-200), "stars"
		}
		if to := w.furthest + 1 + rng.IntN(2); rng.IntN(3) == 0 && to <= len(stages) {
			step := &wire.Transition{
				JourneyID: "j" + id, Seq: uint32(len(w.steps) + 1), Profile: w.profile, To: stages[to-1], Direction: "advance", AtMillis: at,
				TouchpointID: p.MessageId, Identifier: w.profile, Channel: channel, Revision: 1,
			}
			if w.furthest > 0 {
				step.From, step.DwellMillis = stages[w.furthest-1], new(at-entered)
			}
			w.steps, w.furthest, entered = append(w.steps, step), to, at
			if to >= 4 && !w.converted {
				w.converted, w.goalAt, w.revenue = true, at, int64(1+rng.IntN(500))*1_000_000
				p.RevenueMicros = w.revenue
			}
		}
		if rng.IntN(9) == 0 {
			f := goodFriction("f"+p.MessageId, []string{"rage_click", "payment_failed"}[rng.IntN(2)], p.MessageId, at)
			f.Profile, f.JourneyID, f.Identifier, f.Stage = w.profile, "j"+id, w.profile, ""
			if w.furthest > 0 {
				f.Stage = stages[w.furthest-1]
			}
			w.friction = append(w.friction, f)
		}
		w.points, w.stageAt = append(w.points, p), append(w.stageAt, w.furthest)
	}
	// A journey that skips the goal's stage counts as converted at its end.
	if w.converted && !slices.ContainsFunc(w.steps, func(s *wire.Transition) bool { return s.To == "purchase" }) {
		w.goalAt = at
	}
}

// write inserts walks as the sink would.
func (h *house) write(list []*walk) {
	h.t.Helper()
	stages := append([]string{""}, crowdStages()...)
	var points []*wirepb.Touchpoint
	var steps []*wire.Transition
	var frictions []*journey.Friction
	journeys := NewJourneyBatch()
	for _, w := range list {
		points, steps, frictions = append(points, w.points...), append(steps, w.steps...), append(frictions, w.friction...)
		first, last := w.points[0], w.points[len(w.points)-1]
		status := "lapsed"
		if w.converted {
			status = "converted"
		}
		require.NoError(h.t, journeys.Add(&wirepb.Journey{
			JourneyId: "j" + first.MessageId[:len(first.MessageId)-2], Profile: w.profile, Status: status, StartedMs: first.TimeMs, EndedMs: last.TimeMs, MintedMs: minute(0),
			Touchpoints: uint64(len(w.points)), Transitions: uint64(len(w.steps)), Stage: stages[w.furthest], FurthestStage: stages[w.furthest], Converted: w.converted,
			RevenueMicros: w.revenue, Persona: []string{"", "loyal", "browser"}[len(w.points)%3], Revision: 1,
		}))
	}
	h.touchpoints(points...)
	h.transitions(steps...)
	h.frictions(frictions...)
	h.insert(journeys)
}

// humans are the walks of people.
func humans(list []*walk) []*walk {
	return slices.DeleteFunc(slices.Clone(list), func(w *walk) bool { return w.robot })
}

// items is the path of a walk: what of says of each point, repeats collapsed,
// nothing left out.
func (w *walk) items(of func(i int) string) []string {
	var path []string
	for i := range w.points {
		if item := of(i); item != "" && (len(path) == 0 || path[len(path)-1] != item) {
			path = append(path, item)
		}
	}
	return path
}

// paths are the items of the walk by kind.
func (w *walk) paths() map[string][]string {
	stages := append([]string{""}, crowdStages()...)
	return map[string][]string{
		"stage":   w.items(func(i int) string { return stages[w.stageAt[i]] }),
		"channel": w.items(func(i int) string { return w.points[i].Channel }),
		"event":   w.items(func(i int) string { return w.points[i].Event }),
	}
}

// touches are the channel groups of its sessions up to the conversion.
func (w *walk) touches() []string {
	var list []string
	for _, p := range w.sessions() {
		list = append(list, p.ChannelGroup)
	}
	return list
}

// sessions are the first points of its sessions up to the conversion.
func (w *walk) sessions() []*wirepb.Touchpoint {
	var list []*wirepb.Touchpoint
	session := ""
	for _, p := range w.points {
		if p.SessionId != session && (!w.converted || p.TimeMs <= w.goalAt) {
			list = append(list, p)
		}
		session = p.SessionId
	}
	return list
}
