package journey

// Kinds of friction.
const (
	FrictionEvent      = "event"
	FrictionRepetition = "repetition"
	FrictionAbsence    = "absence"
)

// FrictionRule is a named pattern of trouble in a profile's touchpoints
// (semantics D9). Exactly one of Event, Repetition and Absence is set. After and
// AtLeast of the rules in it do not count. A slow response is an absence whose
// Without asks for the business as actor; a bad score is an event.
type FrictionRule struct {
	Name       string
	Severity   int // 1 (a nuisance) to 5
	Event      *Rule
	Repetition *Repetition
	Absence    *Absence
}

// Repetition is the same thing done AtLeast times within Within ms.
type Repetition struct {
	Match Rule
	// By is what must be the same; a touchpoint without it does not match. nil:
	// any match is the same.
	By      func(*Touchpoint) (value string, ok bool)
	AtLeast int
	Within  int64
}

// Absence is an After that no Without follows within For ms.
type Absence struct {
	After, Without Rule
	For            int64
}

// Kind is FrictionEvent, FrictionRepetition or FrictionAbsence.
func (r *FrictionRule) Kind() string {
	switch {
	case r.Repetition != nil:
		return FrictionRepetition
	case r.Absence != nil:
		return FrictionAbsence
	}
	return FrictionEvent
}

// Friction is trouble that a customer had. ID identifies it; the row with the
// highest Revision counts.
type Friction struct {
	ID        string
	Profile   string // kind:value
	JourneyID string // "": the touchpoint is in no journey
	Name      string
	Kind      string
	Severity  int
	Stage     string // where the journey stood after the touchpoint; "" before the first stage
	Substage  string
	// AtMillis is when it struck: an absence when its time had run out, all others
	// at their touchpoint.
	AtMillis int64
	// The touchpoint that caused it: of a repetition the last, of an absence the
	// one that nothing followed.
	TouchpointID  string
	Identifier    string
	SessionID     string
	Channel       string
	Persona       string
	Status        string // "" or StatusVoid
	Revision      uint64
	Live          bool
	Model         string
	EmittedMillis int64
}
