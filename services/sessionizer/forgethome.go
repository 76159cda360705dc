package sessionizer

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire"
)

// forgetHome notes that the home of a profile is to be erased up to a time; Flush
// does it, when what came before is written.
func (t *profileTask) forgetHome(r *kgo.Record) error {
	f, err := wire.DecodeForget(r.Value)
	if err != nil {
		return err
	}
	if t.forgets == nil {
		t.forgets = map[string]int64{}
	}
	t.forgets[string(r.Key)] = f.Erasure.UntilMillis
	return nil
}

// flushForgets erases the homes that were noted.
func (t *profileTask) flushForgets(at journey.Instant, wall int64, out stream.Output) error {
	if len(t.forgets) == 0 {
		return nil
	}
	names := make([]string, 0, len(t.forgets))
	for name := range t.forgets {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := t.eraseHome(name, t.forgets[name], at, wall, out); err != nil {
			return err
		}
	}
	clear(t.forgets)
	return t.timers.forget(t.timerless(names))
}

// timerless are those of the names that have no timer of their own any more.
func (t *profileTask) timerless(names []string) []string {
	return slices.DeleteFunc(names, func(name string) bool {
		p, ok := t.profiles.get(name)
		return ok && p.timer != 0
	})
}

// eraseHome deletes all rows of a home, withdraws what was made of them, and makes it
// anew from the points after the time.
func (t *profileTask) eraseHome(name string, until int64, at journey.Instant, wall int64, out stream.Output) error {
	t.profiles.drop(name) // all of it is read, whatever part is in memory
	p, err := t.profile(name)
	if err != nil {
		return err
	}
	t.profiles.drop(name)
	if p.timer != 0 {
		t.timers.remove(p.timer, name)
	}
	var rows [][]byte
	if err := t.state.Scan(rowPrefix(tableProfile, name), func(key, _ []byte) error {
		rows = append(rows, slices.Clone(key))
		return nil
	}); err != nil || len(rows) == 0 {
		return err
	}
	for _, key := range rows {
		t.state.Delete(key)
	}
	canonical := p.Union.Canonical
	p.Sort()
	c, keep := p.Forget(t.o.Model, until)
	if err := t.withdraw(name, &c, wall, out); err != nil {
		return err
	}
	if canonical != "" {
		out.Produce(&kgo.Record{Topic: t.topics.identities, Key: []byte(name)})
	}
	if len(keep) == 0 {
		return nil
	}
	fresh, err := t.profile(name)
	if err != nil {
		return err
	}
	for i := range keep {
		fresh.Add(keep[i])
	}
	return t.flushProfile(fresh, at, wall, out)
}

// withdraw emits tombstones of journeys, and voids of transitions and frictions.
func (t *profileTask) withdraw(name string, c *journey.ProfileChanges, wall int64, out stream.Output) error {
	for _, v := range c.Voids {
		out.Produce(&kgo.Record{Topic: t.topics.journeys, Key: []byte(v.ID)})
	}
	for i := range c.Transitions {
		tr := &c.Transitions[i]
		tr.Revision, tr.EmittedMillis = t.state.NextRevision(), wall
		value := wire.AppendTransition(nil, t.o.Namespace, tr)
		t.event(t.topics.transitions, name, value, out)
	}
	for i := range c.Frictions {
		f := &c.Frictions[i]
		f.Revision, f.EmittedMillis = t.state.NextRevision(), wall
		value := wire.AppendFriction(nil, t.o.Namespace, f)
		t.event(t.topics.frictions, name, value, out)
	}
	return nil
}
