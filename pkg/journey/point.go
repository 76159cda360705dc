package journey

// Point is what a profile keeps of one touchpoint: enough to fold its journey
// again from anywhere.
type Point struct {
	OrderKey
	Matches       uint64 // rules of the model that the touchpoint matches by itself
	Fixed         bool   // carries a user id of its own: never moves to another profile
	Business      bool
	Live          bool
	RevenueMicros int64
	SessionID     string
	Channel       string
	Campaign      Campaign // Term and Content are not kept
	Member        string   // profile whose home this is a copy of; "": the home's own
}

// Point is the point of a touchpoint under the model. It shares no memory with t.
func (m *Model) Point(t *Touchpoint) Point {
	p := Point{
		OrderKey: t.Key(), Matches: m.Match(t), Fixed: t.UserID != "", Business: t.Business(), Live: !t.Has(FlagNotLive),
		RevenueMicros: t.RevenueMicros, SessionID: t.SessionID, Channel: t.Channel,
		Campaign: Campaign{Source: t.Campaign.Source, Medium: t.Campaign.Medium, Name: t.Campaign.Name},
	}
	pack(&p.MessageID, &p.Identifier, &p.SessionID, &p.Channel, &p.Campaign.Source, &p.Campaign.Medium, &p.Campaign.Name)
	return p
}
