package console

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/warehouse"
)

// shopStages are the stages of the seeded shop.
func shopStages() []string {
	return []string{"awareness", "consideration", "decision", "purchase", "retention", "advocacy"}
}

// firstDay is when the seeded fortnight begins; its checkout fails from
// failsFrom until failsTo.
func firstDay() time.Time  { return time.Date(2026, 11, 9, 0, 0, 0, 0, time.UTC) }
func failsFrom() time.Time { return firstDay().AddDate(0, 0, 4) }
func failsTo() time.Time   { return firstDay().AddDate(0, 0, 8) }

// shop writes a fortnight of an invented shop straight into the tables, with all
// that the views must see through: late logins, robots, superseded revisions,
// void rows. It needs no pipeline.
type shop struct {
	rng         *rand.Rand
	touchpoints [][]any
	transitions [][]any
	journeys    [][]any
	sessions    [][]any
	identities  [][]any
	n           int
}

// seedShop migrates the namespace and fills it with people and robots.
func seedShop(ctx context.Context, t *testing.T, conn driver.Conn, ns string, people, robots int) {
	t.Helper()
	migrateShop(ctx, t, conn, ns)
	s := &shop{rng: rand.New(rand.NewPCG(7, 11))}
	for range people {
		s.person()
	}
	for range robots {
		s.robot()
	}
	s.write(ctx, t, conn, ns)
}

// migrateShop makes the databases and the model, and leaves the tables empty.
func migrateShop(ctx context.Context, t *testing.T, conn driver.Conn, ns string) {
	t.Helper()
	require.NoError(t, warehouse.Migrate(ctx, conn, ns))
	m := &journey.Model{Name: "shop", SessionGap: 30 * 60_000, JourneyGap: 90 * 86_400_000, Lateness: 30 * 86_400_000, Goal: 3, UserLimit: 10}
	for _, name := range shopStages() {
		m.Stages = append(m.Stages, journey.Stage{Name: name})
	}
	require.NoError(t, warehouse.PutModel(ctx, conn, ns, m.Compile()))
}

// visit is a touchpoint before it is a row.
type visit struct {
	at      time.Time
	stage   int
	channel string
	event   string
	actor   string
}

// person walks through the stages as far as chance takes it.
func (s *shop) person() {
	j := s.begin(false)
	stage := 0
	for j.enter(stage); stage < 5 && s.goesOn(stage, j.entered); {
		next := stage + 1
		if stage == 0 && s.chance(0.12) {
			next = 2 // comes straight to the cart
		}
		if !j.enter(next) {
			break
		}
		stage = next
	}
	if stage == 4 && s.chance(0.2) {
		j.enter(1) // a return
	}
	j.finish()
}

// robot sees a few pages, some of them of products.
func (s *shop) robot() {
	j := s.begin(true)
	j.enter(0)
	if s.chance(0.4) {
		j.enter(1)
	}
	j.finish()
}

// goesOn decides at the moment a stage was reached.
func (s *shop) goesOn(stage int, at time.Time) bool {
	p := []float64{0.56, 0.5, 0.64, 0.42, 0.24}[stage]
	if stage == 2 && !at.Before(failsFrom()) && at.Before(failsTo()) {
		p = 0.13
	}
	return s.chance(p)
}

func (s *shop) chance(p float64) bool { return s.rng.Float64() < p }

// pause before a stage is entered; whole milliseconds.
func (s *shop) pause(stage int) time.Duration {
	hours := []float64{0, 5, 9, 1.2, 40, 70}[stage] * math.Exp(s.rng.NormFloat64()*0.8)
	return time.Duration(hours*3_600_000) * time.Millisecond
}

// walk is one profile's journey while it is made.
type walk struct {
	*shop
	id, user, anonymous string
	robot, logsIn       bool // logsIn: at the second stage, if it comes there
	path                []int
	start, entered, end time.Time
	visited             []visit
	from                []int // index in visited at which each stage of path begins
}

func (s *shop) begin(robot bool) *walk {
	s.n++
	at := firstDay().Add(time.Duration(s.rng.IntN(325*3600)) * time.Second)
	return &walk{
		shop: s, id: fmt.Sprintf("j%04d", s.n), user: fmt.Sprintf("u%04d", s.n), anonymous: fmt.Sprintf("anonymous:a%04d", s.n),
		robot: robot, logsIn: !robot && s.chance(0.7), start: at, entered: at, end: at,
	}
}

// enter goes to a stage and makes its touchpoints, unless that is after the fortnight.
func (w *walk) enter(stage int) bool {
	at := w.start
	if len(w.path) > 0 {
		at = w.end.Add(w.pause(stage))
	}
	if !at.Before(firstDay().AddDate(0, 0, 14).Add(-2 * time.Hour)) {
		return false
	}
	w.entered = at
	w.path = append(w.path, stage)
	w.from = append(w.from, len(w.visited))
	w.visited = append(w.visited, w.visits(stage, w.entered)...)
	w.end = w.visited[len(w.visited)-1].at
	return true
}

// finish makes the rows.
func (w *walk) finish() {
	profile, login := w.anonymous, math.MaxInt
	if w.logsIn && len(w.path) > 1 {
		profile, login = "user:"+w.user, w.from[1]
	}
	for i, v := range w.visited {
		user, message := "", fmt.Sprintf("%s-%d", w.id, i)
		if i >= login {
			user = w.user
		}
		if i == login {
			w.identities = append(w.identities, []any{w.anonymous, []any{[]any{v.at, message, w.user}}, uint64(1), false, uint64(9)})
		}
		w.touchpoint(message, w.anonymous, user, v, w.robot)
	}
	entered := w.start
	for i := range w.path {
		at := w.visited[w.from[i]].at
		w.transition(w.id, profile, w.path, i, at, entered)
		entered = at
	}
	w.journeyRows(w.id, profile, w.path, w.start, w.end, len(w.visited))
	w.sessions = append(w.sessions, []any{"s" + w.id, w.anonymous, "closed", "", w.start, w.end, w.start, uint64(len(w.visited)), w.robot, uint64(5)})
}

// visits are the touchpoints in a stage; the first one enters it.
func (s *shop) visits(stage int, at time.Time) []visit {
	channels := [][]string{
		{"web", "web", "web", "web", "social", "social", "email", "store"},
		{"web", "web", "web", "web", "email", "store", "social"},
		{"web", "web", "web", "web", "email", "store", "call_centre"},
		{"web", "web", "web", "store"},
		{"email", "email", "web", "call_centre", "store"},
		{"web", "web", "social", "email"},
	}[stage]
	events := []string{"page_viewed", "product_viewed", "checkout_started", "order_completed", "product_used", "review_submitted"}
	var list []visit
	for i := range 1 + s.rng.IntN(4) {
		if i > 0 {
			at = at.Add(time.Duration(20+s.rng.IntN(900)) * time.Second)
		}
		v := visit{at: at, stage: stage, channel: channels[s.rng.IntN(len(channels))], event: events[stage], actor: "customer"}
		if i > 0 && v.channel == "email" {
			v.actor = "business"
		}
		list = append(list, v)
	}
	list[len(list)-1].actor = "customer" // a journey ends with its customer
	return list
}

func (s *shop) touchpoint(message, identifier, user string, v visit, robot bool) {
	flags := uint32(0)
	if robot {
		flags = 1
	}
	row := func(channel string, revision uint64) []any {
		return []any{message, identifier, user, "track", v.event, v.at, v.at.Add(300 * time.Millisecond), flags, channel, v.actor, "shop", "s-" + message, revision}
	}
	s.touchpoints = append(s.touchpoints, row(v.channel, 7))
	if s.chance(0.1) { // an older revision that must not count
		s.touchpoints = append(s.touchpoints, row("fax", 3))
	}
}

// transition is the i-th step along a path.
func (s *shop) transition(journeyID, profile string, path []int, i int, at, entered time.Time) {
	names := append(shopStages(), "")
	from, direction := 6, "advance"
	var dwell *int64
	if i > 0 {
		from = path[i-1]
		ms := at.Sub(entered).Milliseconds()
		dwell = &ms
		if path[i] < from {
			direction = "return"
		}
	}
	row := func(to, status string, revision uint64) []any {
		return []any{journeyID, uint32(i + 1), profile, names[from], to, direction, at, dwell, "web", status, revision}
	}
	s.transitions = append(s.transitions, row(names[path[i]], "", 8))
	if s.chance(0.05) { // what the journey seemed to be before a late touchpoint came
		s.transitions = append(s.transitions, row("advocacy", "", 2))
	}
	if i == len(path)-1 && s.chance(0.1) { // and a step that vanished
		gone := row("advocacy", "void", 9)
		gone[1] = uint32(i + 2)
		s.transitions = append(s.transitions, gone)
	}
}

func (s *shop) journeyRows(id, profile string, path []int, start, end time.Time, touchpoints int) {
	status, furthest := "open", slices.Max(path)
	if furthest >= 3 {
		status = "converted"
	}
	stage := shopStages()[path[len(path)-1]]
	s.journeys = append(s.journeys, []any{id, profile, status, start, end, start, uint64(touchpoints), stage, uint64(6)})
	if s.chance(0.1) {
		s.journeys = append(s.journeys, []any{"gone" + id, profile, "void", start, end, start, uint64(1), stage, uint64(6)})
	}
}

func (s *shop) write(ctx context.Context, t *testing.T, conn driver.Conn, ns string) {
	t.Helper()
	insert(ctx, t, conn, ns+".touchpoints", s.touchpoints, "message_id", "identifier", "user_id", "type", "event", "event_time", "received_at", "flags",
		"channel", "actor", "source", "session_id", "revision")
	insert(ctx, t, conn, ns+".transitions", s.transitions, "journey_id", "seq", "profile", "from_stage", "to_stage", "direction", "at", "dwell_ms",
		"channel", "status", "revision")
	insert(ctx, t, conn, ns+".journeys", s.journeys, "journey_id", "profile", "status", "started_at", "ended_at", "minted_at", "touchpoints", "stage", "revision")
	insert(ctx, t, conn, ns+".sessions", s.sessions, "session_id", "identifier", "status", "merged_into", "started_at", "ended_at", "minted_at",
		"touchpoints", "is_bot", "revision")
	insert(ctx, t, conn, ns+".identities", s.identities, "identifier", "map", "epoch", "frozen", "revision")
}

// insert writes rows in one INSERT.
func insert(ctx context.Context, t *testing.T, conn driver.Conn, table string, rows [][]any, columns ...string) {
	t.Helper()
	batch, err := conn.PrepareBatch(ctx, "INSERT INTO "+table+" ("+strings.Join(columns, ", ")+")")
	require.NoError(t, err)
	defer func() { _ = batch.Close() }()
	for _, row := range rows {
		require.NoError(t, batch.Append(row...), table)
	}
	require.NoError(t, batch.Send(), table)
}
