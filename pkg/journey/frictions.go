package journey

import (
	"cmp"
	"maps"
	"slices"
)

// FrictionKey identifies a friction of a profile: the number of its pattern, and
// its touchpoint.
type FrictionKey struct {
	Friction   int
	Touchpoint OrderKey
}

func (k FrictionKey) compare(o FrictionKey) int {
	return cmp.Or(k.Touchpoint.Compare(o.Touchpoint), cmp.Compare(k.Friction, o.Friction))
}

// EmittedFriction is a friction that was emitted, with the hash of its row.
type EmittedFriction struct {
	FrictionKey

	Hash uint64
}

// published is what is remembered of an emitted friction.
type published struct {
	hash uint64
	pass uint32 // the last reading that came by it
}

// RestoreFrictions adds stored emitted frictions to a fresh state.
func (p *Profile) RestoreFrictions(list []EmittedFriction) {
	for _, e := range list {
		p.remember(e.FrictionKey, published{hash: e.Hash})
	}
}

// TakeFrictions lists the emitted frictions that are remembered, by touchpoint,
// and whether they have changed since the last call.
func (p *Profile) TakeFrictions() (list []EmittedFriction, changed bool) {
	if !p.struckAnew {
		return nil, false
	}
	p.struckAnew = false
	for k, v := range p.frictions {
		list = append(list, EmittedFriction{k, v.hash})
	}
	slices.SortFunc(list, func(a, b EmittedFriction) int { return a.compare(b.FrictionKey) })
	return list, true
}

func (p *Profile) remember(k FrictionKey, v published) {
	if p.frictions == nil {
		p.frictions = map[FrictionKey]published{}
	}
	if _, known := p.frictions[k]; !known {
		pack(&k.Touchpoint.MessageID, &k.Touchpoint.Identifier) // not the record's memory
	}
	p.frictions[k] = v
}

// strike emits a friction, if it is not as emitted before.
func (p *Profile) strike(m *Model, s *strike, c *ProfileChanges) {
	rule := &m.Frictions[s.friction]
	k := FrictionKey{s.friction, s.Key}
	f := Friction{
		ID: p.frictionID(m, k), Profile: p.ID, JourneyID: s.JourneyID, Name: rule.Name, Kind: rule.Kind(), Severity: rule.Severity,
		Stage: m.StageName(s.Stage), Substage: m.SubstageName(s.Stage, s.Substage), AtMillis: s.at,
		TouchpointID: s.Key.MessageID, Identifier: s.Key.Identifier, SessionID: s.SessionID, Channel: s.Channel,
		Persona: m.PersonaName(s.Persona), Live: s.Live, Model: m.Name,
	}
	h := f.hash()
	if was, known := p.frictions[k]; !known || was.hash != h {
		c.Frictions = append(c.Frictions, f)
		p.struckAnew = true
	}
	p.remember(k, published{h, p.pass})
}

func (p *Profile) frictionID(m *Model, k FrictionKey) string {
	return mintID("friction", p.ID, m.Frictions[k.Friction].Name+"\x00"+k.Touchpoint.Identifier+"\x00"+k.Touchpoint.MessageID)
}

// withdraw voids a friction, if it was emitted.
func (p *Profile) withdraw(m *Model, k FrictionKey, c *ProfileChanges) {
	if _, known := p.frictions[k]; !known {
		return
	}
	delete(p.frictions, k)
	p.struckAnew = true
	if k.Friction >= len(m.Frictions) {
		return // no cairn wrote that
	}
	rule := &m.Frictions[k.Friction]
	c.Frictions = append(c.Frictions, Friction{
		ID: p.frictionID(m, k), Profile: p.ID, Name: rule.Name, Kind: rule.Kind(), Severity: rule.Severity,
		AtMillis: k.Touchpoint.Time, TouchpointID: k.Touchpoint.MessageID, Identifier: k.Touchpoint.Identifier,
		Status: StatusVoid, Model: m.Name,
	})
}

// overdue emits the absences whose time is over by now. One that was emitted
// stays so while nothing has followed, even if now is an earlier time: a clock
// decides when, never whether.
func (p *Profile) overdue(m *Model, now int64, c *ProfileChanges) {
	for n := range p.now.troubles.list {
		e := p.now.troubles.list[n].Open
		if e == nil || p.parked {
			continue
		}
		if _, known := p.frictions[FrictionKey{n, e.Key}]; known || now > e.Deadline {
			p.strike(m, &strike{n, e.Deadline, e.Struck}, c)
		}
	}
}

// sweep withdraws what was emitted for points behind a key and was not come by
// in the last reading.
func (p *Profile) sweep(m *Model, behind OrderKey, all bool, c *ProfileChanges) {
	var gone []FrictionKey
	for k, v := range p.frictions {
		if v.pass != p.pass && (all || k.Touchpoint.Compare(behind) > 0) {
			gone = append(gone, k)
		}
	}
	slices.SortFunc(gone, FrictionKey.compare)
	for _, k := range gone {
		p.withdraw(m, k, c)
	}
}

// forget drops what was emitted for points up to a key, which are final now; an
// absence that has not ended is not.
func (p *Profile) forget(t *troubles, through OrderKey) {
	before := len(p.frictions)
	maps.DeleteFunc(p.frictions, func(k FrictionKey, _ published) bool {
		if k.Friction >= len(t.list) {
			return true
		}
		e := t.list[k.Friction].Open
		return k.Touchpoint.Compare(through) <= 0 && (e == nil || e.Key != k.Touchpoint)
	})
	p.struckAnew = p.struckAnew || len(p.frictions) != before
}
