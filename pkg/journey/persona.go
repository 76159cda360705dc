package journey

// Persona is a kind of customer. The first persona of a model whose rule holds
// is the profile's.
type Persona struct {
	Name  string
	Where func(*Behaviour) bool // pure
}

// Trait is the value of one of Model.Traits in a touchpoint.
type Trait struct {
	Index int
	Value string // a JSON scalar, at most MaxTrait bytes; "" says that the trait is gone
}

// MaxTrait bounds a kept trait, in bytes of JSON. A longer one, an object or a
// list counts as absent.
const MaxTrait = 256

// Behaviour is what is known of a profile up to a touchpoint: of all its
// journeys, in order (semantics D10).
type Behaviour struct {
	Traits         []string // the last value of each of Model.Traits, JSON; "": none
	EventCounts    []uint64 // the customer's touchpoints per Model.CountedEvents
	ChannelCounts  []uint64 // the customer's touchpoints per Model.CountedChannels
	Touchpoints    uint64   // the customer's
	Sessions       uint64
	Journeys       uint64
	RevenueMicros  int64 // of the business's touchpoints, too
	SentimentSum   int64 // hundredths
	SentimentCount uint64
}

// Intent says how many points touchpoints score, for the qualification of leads.
// A journey's intent is the sum of its touchpoints' points, each halved with every
// HalfLife that passes (semantics, Intent).
type Intent struct {
	HalfLife int64                   // ms; 0: points stay
	Points   func(*Touchpoint) int32 // pure; nil: none
}

// MeanSentiment is the mean of n scores, in hundredths, rounded half away from
// zero; ok is false without any.
func MeanSentiment(sum int64, n uint64) (mean int32, ok bool) {
	if n == 0 {
		return 0, false
	}
	half := int64(n) / 2
	if sum < 0 {
		half = -half
	}
	return int32((sum + half) / int64(n)), true
}
