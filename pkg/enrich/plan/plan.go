// Package plan checks touchpoints against a tracking plan: which events there are,
// and what their properties must be (docs/tracking-plans.md). The device step asks
// it, so that records written straight to Kafka obey, too. It does no I/O but for
// the file that Load reads; what it says follows from the plan and the touchpoint
// alone.
package plan

import (
	"strconv"
	"strings"

	"github.com/valyala/fastjson"

	"github.com/cairnhq/cairn/pkg/journey"
)

// Action is what becomes of a touchpoint. A higher one wins over a lower one.
type Action uint8

// Actions.
const (
	Allow  Action = iota
	Warn          // counted as ever, with journey.FlagOffPlan
	Reject        // to touchpoints.rejected
)

func (a Action) String() string { return [...]string{"allow", "warn", "reject"}[a] }

// Kinds of violation: a label of metrics.
const (
	Missing    = "missing"       // a required member is absent or null
	WrongType  = "wrong_type"    // the value's JSON type is another one
	NotListed  = "not_in_enum"   // the value is none of those there are
	OutOfRange = "out_of_range"  // below minimum or above maximum
	NoMatch    = "no_match"      // the pattern is not found
	Additional = "additional"    // a member that the plan does not list
	Unknown    = "unknown_event" // an event that the plan does not list
)

// OtherEvent stands for the events that are not in the plan: a label of metrics.
const OtherEvent = "(other)"

// Violation is one place where a touchpoint differs from the plan.
type Violation struct {
	Kind    string
	Pointer string // JSON pointer of the place: /properties/revenue
	Message string
	Action  Action
}

// Verdict is what the plan says of a touchpoint. The zero value: nothing.
type Verdict struct {
	Event      string // as the plan has it, in snake case; OtherEvent
	Action     Action // the highest of the violations
	Violations []Violation
	More       int // further ones that are not listed
}

// maxViolations bounds a verdict: a list of a thousand bad items is one mistake.
const maxViolations = 10

// Plan is a compiled plan. It does not change; safe for concurrent use. nil is the
// plan that allows everything.
type Plan struct {
	events  map[string]*event // by name in snake case
	unknown Action
	parsers fastjson.ParserPool
}

// event is what the plan says of one.
type event struct {
	name       string
	mode       Action
	additional Action
	properties *object
	traits     *object
}

// Events is the number of events in the plan.
func (p *Plan) Events() int {
	if p == nil {
		return 0
	}
	return len(p.events)
}

// Check says where a decoded touchpoint differs from the plan. Properties are
// parsed only for events that the plan lists.
func (p *Plan) Check(t *journey.Touchpoint) Verdict {
	if p == nil {
		return Verdict{}
	}
	e := p.events[t.Event]
	if e == nil {
		if p.unknown == Allow || t.Type != "track" {
			return Verdict{}
		}
		v := Verdict{Event: OtherEvent}
		v.add(Violation{Unknown, "/event", "the tracking plan has no event " + strconv.Quote(clip(t.Event)), p.unknown})
		return v
	}
	v := Verdict{Event: e.name}
	c := check{event: e, verdict: &v}
	p.part(&c, e.properties, "/properties", t.Properties)
	p.part(&c, e.traits, "/traits", t.Traits)
	return v
}

// part checks properties or traits, which are JSON objects or "".
func (p *Plan) part(c *check, o *object, pointer, text string) {
	if o == nil {
		return
	}
	if text == "" {
		c.members(o, pointer, nil)
		return
	}
	parser := p.parsers.Get()
	defer p.parsers.Put(parser)
	v, err := parser.Parse(text)
	if err != nil { // deeper than the parser goes: the decoder has checked all else
		c.violation(WrongType, pointer, "cannot be read: "+err.Error(), c.event.mode)
		return
	}
	c.members(o, pointer, v.GetObject())
}

func (v *Verdict) add(x Violation) {
	v.Action = max(v.Action, x.Action)
	if len(v.Violations) == maxViolations {
		v.More++
		return
	}
	v.Violations = append(v.Violations, x)
}

// Worst is the first violation of the verdict's action, with the number of all
// others in its message; ok is false where there is none.
func (v *Verdict) Worst() (worst Violation, ok bool) {
	for _, x := range v.Violations {
		if x.Action == v.Action {
			worst, ok = x, true
			break
		}
	}
	if others := len(v.Violations) + v.More - 1; others > 0 {
		worst.Message += "; and " + strconv.Itoa(others) + " more"
	}
	return worst, ok
}

// clip bounds what a message repeats of a touchpoint.
func clip(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
