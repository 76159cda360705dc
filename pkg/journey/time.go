package journey

// Bounds of the event-time rules (semantics D2), in ms.
const (
	minute        = 60_000
	skewTolerance = minute     // a clock off by less is taken as right
	futureLimit   = 5 * minute // an event later than its arrival by more is clamped
	// LiveLimit is the lateness beyond which a touchpoint is not happening now.
	LiveLimit = 5 * minute
)

// Times are the times a raw touchpoint came with; 0 means absent.
type Times struct {
	Timestamp int64 // final, never corrected
	Original  int64 // by the device's clock
	Sent      int64 // by the device's clock
	Received  int64 // by our clock; never 0
}

// EventTime is when the touchpoint happened (semantics D2), which of the
// time flags apply, and the time before a change (0: unchanged).
//
// The correction is one for a whole batch, because sent and received are; it is
// rounded to the minute, so that network delay is not mistaken for skew.
func EventTime(t Times) (at int64, flags uint32, original int64) {
	switch {
	case t.Timestamp != 0:
		at = t.Timestamp
	case t.Original != 0:
		at = t.Original
		if t.Sent != 0 {
			if skew := t.Received - t.Sent; skew > skewTolerance || skew < -skewTolerance {
				at += floorDiv(skew+minute/2, minute) * minute
				flags, original = FlagSkewed, t.Original
			}
		}
	default:
		at = t.Received
	}
	if at > t.Received+futureLimit {
		if original == 0 {
			original = at
		}
		at, flags = t.Received, flags|FlagClamped
	}
	return at, flags, original
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}
