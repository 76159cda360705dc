package journey

import "maps"

// Standing is where a journey stands after some of its points. All sums are of
// integers, so that they can be continued from anywhere.
type Standing struct {
	Fold           Fold
	Touchpoints    uint64 // the customer's
	Business       uint64 // the business's
	Sessions       uint64
	RevenueMicros  int64 // of both
	SentimentSum   int64 // hundredths, of both
	SentimentCount uint64
	Intent         int64            // thousandths of a point, as of IntentStep
	IntentStep     int64            // see addIntent
	Ends           map[string]int64 // last time of the customer per identifier, to tell sessions apart

	pruneAt int // entries of Ends at which it is looked through
}

// manyEnds is from how many identifiers on those whose session is over are
// forgotten: an end longer ago than the gap says the same as none.
const manyEnds = 64

func newStanding() Standing { return Standing{Fold: NewFold(), Ends: map[string]int64{}} }

// Clone is a copy that shares nothing.
func (s *Standing) Clone() Standing {
	c := *s
	c.Fold, c.Ends = s.Fold.Clone(), maps.Clone(s.Ends)
	return c
}

// add takes in the next point, and reports whether it begins a session: where
// one of the identifier's points follows a pause longer than the session gap.
func (s *Standing) add(m *Model, p *Point) (session bool) {
	s.RevenueMicros += p.RevenueMicros
	if p.Scored {
		s.SentimentSum += int64(p.Sentiment)
		s.SentimentCount++
	}
	m.addIntent(s, p)
	if p.Business {
		s.Business++
		return false
	}
	s.Touchpoints++
	last, ok := s.Ends[p.Identifier]
	if !ok && len(s.Ends) >= max(s.pruneAt, manyEnds) {
		maps.DeleteFunc(s.Ends, func(_ string, at int64) bool { return at < p.Time-m.SessionGap })
		s.pruneAt = 2 * len(s.Ends)
	}
	s.Ends[p.Identifier] = p.Time
	if session = !ok || p.Time > last+m.SessionGap; session {
		s.Sessions++
	}
	return session
}

// merge adds what can be summed of another journey's.
func (s *Standing) merge(o *Standing) {
	s.Touchpoints += o.Touchpoints
	s.Business += o.Business
	s.Sessions += o.Sessions
	s.RevenueMicros += o.RevenueMicros
	s.SentimentSum += o.SentimentSum
	s.SentimentCount += o.SentimentCount
	for id, at := range o.Ends {
		s.Ends[id] = max(s.Ends[id], at)
	}
}
