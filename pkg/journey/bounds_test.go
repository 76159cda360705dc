package journey

import (
	"fmt"
	"strconv"
	"testing"
)

// twoStages is a model whose rules match by the bit of a point.
func twoStages() *Model {
	m := &Model{
		Name: "m", SessionGap: 30 * minute, JourneyGap: 90 * 24 * 60 * minute, Goal: 1, UserLimit: 10, Lateness: 30 * 24 * 60 * minute,
		Stages: []Stage{{Name: "one", Rules: []Rule{{Substage: -1, After: -1, Events: []string{"a"}}}}, {Name: "two", Returns: []int{0}, Rules: []Rule{{Substage: -1, After: -1, Events: []string{"b"}}}}},
	}
	return m.Compile()
}

// pt is a point that matches the rules of a bit set.
func pt(id, msg string, at int64, ev uint64) Point {
	return Point{OrderKey: OrderKey{Time: at, MessageID: msg, Identifier: id}, Matches: ev}
}

func TestCompactKeepsUp(t *testing.T) {
	m := twoStages()
	p := &Profile{ID: "anonymous:a"}
	for tx := range 3 {
		for i := range 20_000 {
			p.Add(pt("anonymous:a", fmt.Sprintf("m%d-%d", tx, i), int64(tx*20_000+i), 0))
		}
		p.Refold(m, Instant{})
		if n := len(p.Points()); n > MaxPoints {
			t.Errorf("after transaction %d: %d points kept, bound is %d", tx, n, MaxPoints)
		}
	}
}

func TestLateBeforeBase(t *testing.T) {
	m := twoStages()
	p := &Profile{ID: "anonymous:a"}
	for i := range MaxPoints + 1 {
		p.Add(pt("anonymous:a", fmt.Sprintf("m%05d", i), 1_000_000+int64(i), 1))
	}
	p.Refold(m, Instant{})
	p.Add(pt("anonymous:a", "late", 500_000, 2)) // before the base, same journey
	c := p.Refold(m, Instant{})
	j := p.Journeys[0]
	for _, tr := range c.Transitions {
		if tr.DwellMillis != nil {
			t.Logf("%s->%s at %d dwell %d seq %d", tr.From, tr.To, tr.AtMillis, *tr.DwellMillis, tr.Seq)
			if *tr.DwellMillis < 0 && !j.Approximate {
				t.Errorf("negative dwell, and the journey is not flagged")
			}
		}
	}
}

func TestCopyRemovedFromBase(t *testing.T) {
	m := twoStages()
	c := &Home{}
	c.ID = "user:c"
	var pts []Point
	for i := range MaxPoints + 1 {
		pts = append(pts, pt("anonymous:x", fmt.Sprintf("m%05d", i), 1_000_000+int64(i), 1))
	}
	c.Copy(Copy{To: "user:c", Member: "user:a", Version: 1, Full: true})
	c.Copy(Copy{To: "user:c", Member: "user:a", Version: 1, Added: pts})
	c.Refold(m, Instant{})
	// a's home gives one of the folded points to somebody else
	c.Copy(Copy{To: "user:c", Member: "user:a", Version: 1, Removed: []OrderKey{pts[3].OrderKey}})
	c.Refold(m, Instant{})
	j := c.Journeys[0]
	if j.Touchpoints != MaxPoints && !j.Approximate {
		t.Errorf("removed: %d touchpoints, want %d, not flagged", j.Touchpoints, MaxPoints)
	}
	// a is its own again: an empty full copy
	c.Copy(Copy{To: "user:c", Member: "user:a", Version: 2, Full: true})
	c.Refold(m, Instant{})
	for _, j := range c.Journeys {
		if !j.Approximate {
			t.Errorf("after a left: journey with %d touchpoints, not flagged", j.Touchpoints)
		}
	}
}

func TestParkedWithBase(t *testing.T) {
	m := twoStages()
	a := &Home{}
	a.ID = "user:a"
	for i := range MaxPoints + 1 {
		a.Add(pt("anonymous:x", fmt.Sprintf("m%05d", i), 1_000_000+int64(i), 1))
	}
	a.Refold(m, Instant{})
	_, copies := a.Join(Join{To: "user:a", Edges: []Edge{{Time: 1, MessageID: "e", Identifier: "anonymous:x", From: "user:a", To: "user:b"}}})
	n := 0
	for _, c := range copies {
		n += len(c.Added)
	}
	a.Refold(m, Instant{})
	for _, j := range a.Journeys {
		t.Errorf("a parked: journey of a with %d touchpoints (approximate %v) beside %d copied to b; there are %d", j.Touchpoints, j.Approximate, n, MaxPoints+1)
	}
}

func TestFrozenHub(t *testing.T) {
	h := &Home{}
	h.ID = "user:guest"
	for i := range 20_000 {
		u := fmt.Sprintf("user:customer-%06d", i)
		h.Join(Join{To: h.ID, Edges: []Edge{{Time: int64(i), MessageID: fmt.Sprintf("7f1e2d3c-0000-4000-8000-%012d", i), Identifier: u, From: h.ID, To: u}}})
	}
	if n := len(h.Union.Edges); n > 1000 {
		t.Errorf("frozen=%v, edges kept: %d", h.Union.Frozen, n)
	}
}

func TestLinkTie(t *testing.T) {
	a, b := Ownership{}, Ownership{}
	l1, l2 := Link{5, "order-1", "1"}, Link{5, "order-1", "2"} // two identifiers may use one messageId (D1)
	a.Add(l1, 10)
	a.Add(l2, 10)
	b.Add(l2, 10)
	b.Add(l1, 10)
	if a.Owner(9, "z") != b.Owner(9, "z") {
		t.Errorf("owner depends on arrival: %s, %s; users %v, %v", a.Owner(9, "z"), b.Owner(9, "z"), a.Users, b.Users)
	}
}

func TestAlternatingLinks(t *testing.T) {
	var o Ownership
	for i := range 5_000 {
		o.Add(Link{int64(i), fmt.Sprintf("m%d", i), strconv.Itoa(i % 2)}, 10)
	}
	if len(o.Links) > MaxLinks || len(o.Map) > MaxLinks {
		t.Errorf("links %d map %d: grows without bound", len(o.Links), len(o.Map))
	}
}

func TestEmitted(t *testing.T) {
	m := twoStages()
	p := &Profile{ID: "anonymous:a"}
	for tx := range 50 {
		for i := range 2_000 {
			k := tx*2_000 + i
			p.Add(pt("anonymous:a", fmt.Sprintf("m%07d", k), int64(k)*1000, 1<<(k%2)))
		}
		p.Refold(m, Instant{})
	}
	t.Logf("points %d emitted hashes of one journey: %d", len(p.Points()), len(p.Journeys[0].Emitted))
	if len(p.Journeys[0].Emitted) > 2*MaxPoints {
		t.Error("the journeys row grows with the profile's age")
	}
}

// A scrambled import: every second touchpoint first, then the gaps are filled.
func TestVoidsOfOneTransaction(t *testing.T) {
	m := twoStages()
	d := &Device{Identifier: "anonymous:a"}
	apply := func(i int) {
		d.Apply(&Touchpoint{MessageID: strconv.Itoa(i), Identifier: "anonymous:a", Time: int64(i) * 20 * minute, Received: 1e12, Flags: FlagBackfill, Actor: ActorCustomer}, m, 0)
	}
	for i := 0; i < 4000; i += 2 {
		apply(i)
	}
	d.TakeChanges(m)
	voids := 0
	for i := 1; i < 4000; i += 2 {
		apply(i)
		if i%40 == 1 { // a commit every 20 touchpoints
			voids += len(d.TakeChanges(m).Voids)
		}
	}
	// Once a commit for each id that was ever absorbed, not once a merge.
	if most := 50 * 2000; voids == 0 || voids > most {
		t.Errorf("2000 merges in 50 commits: %d void rows, want at most %d", voids, most)
	}
}

// Same-key copies at the moment of compaction.
func TestCompactDoubles(t *testing.T) {
	m := twoStages()
	c := &Home{}
	c.ID = "user:c"
	var pts []Point
	for i := range MaxPoints + 1 {
		pts = append(pts, pt("anonymous:x", fmt.Sprintf("m%05d", i), 1_000_000+int64(i), 1))
	}
	c.Copy(Copy{Member: "user:a", Version: 1, Full: true, Added: pts[:MaxPoints]})
	c.Refold(m, Instant{})
	c.Copy(Copy{Member: "user:b", Version: 1, Full: true, Added: pts[:1]}) // the first point is on its way from a to b
	c.Refold(m, Instant{})                                                 // 4097 rows: compacts
	c.Copy(Copy{Member: "user:a", Version: 1, Removed: []OrderKey{pts[0].OrderKey}})
	c.Refold(m, Instant{})
	if j := c.Journeys[0]; j.Touchpoints != MaxPoints {
		t.Errorf("%d touchpoints, want %d; approximate=%v", j.Touchpoints, MaxPoints, j.Approximate)
	}
}

// A business point before any journey is folded away, too: one that begins before
// it later is flagged.
func TestOrphanBusinessPoint(t *testing.T) {
	m := twoStages()
	p := &Profile{ID: "user:a"}
	b := pt("user:a", "biz", 900_000, 0)
	b.Business = true
	p.Add(b)
	for i := range MaxPoints {
		p.Add(pt("user:a", fmt.Sprintf("m%05d", i), 1_000_000+int64(i), 1))
	}
	p.Refold(m, Instant{})
	p.Add(pt("user:a", "late", 800_000, 1)) // the journey begins before the business point now
	p.Refold(m, Instant{})
	if j := p.Journeys[0]; j.Business != 1 && !j.Approximate {
		t.Errorf("business touchpoints %d, want 1; approximate=%v", j.Business, j.Approximate)
	}
}

func TestMergedBaseSeqs(t *testing.T) {
	m := twoStages()
	p := &Profile{ID: "user:a"}
	rows := map[string]string{}
	take := func(c ProfileChanges) {
		for _, tr := range c.Transitions {
			k := fmt.Sprintf("%s/%d", tr.JourneyID[:4], tr.Seq)
			rows[k] = fmt.Sprintf("%s>%s", tr.From, tr.To)
			if tr.Status == StatusVoid {
				delete(rows, k)
			}
		}
	}
	gap := m.JourneyGap
	p.Add(pt("user:a", "early", 1_000, 1))
	for i := range MaxPoints + 1 {
		ev := uint64(1)
		if i < 10 {
			ev = 1 << (i % 2)
		}
		p.Add(pt("user:a", fmt.Sprintf("m%05d", i), 1_000+2*gap+int64(i), ev))
	}
	take(p.Refold(m, Instant{})) // folds: includes early, so make more
	t.Log(len(p.Journeys), rows)
	q := &Profile{ID: "user:a"}
	rows = map[string]string{}
	for i := range MaxPoints + 1 {
		ev := uint64(1)
		if i < 10 {
			ev = 1 << (i % 2)
		}
		q.Add(pt("user:a", fmt.Sprintf("m%05d", i), 1_000+2*gap+int64(i), ev))
	}
	take(q.Refold(m, Instant{}))
	q.Add(pt("user:a", "early", 1_000, 1))
	take(q.Refold(m, Instant{}))
	q.Add(pt("user:a", "bridge", 1_000+gap, 0))
	take(q.Refold(m, Instant{}))
	j := q.Journeys[0]
	t.Log(len(q.Journeys), j.Fold.Seq, len(j.Emitted), rows, j.Approximate)
	if int(j.Fold.Seq) != len(rows) {
		t.Errorf("the row says %d transitions, readers see %d", j.Fold.Seq, len(rows))
	}
}
