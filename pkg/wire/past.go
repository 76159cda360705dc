package wire

import (
	"maps"
	"slices"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// EncodeFrictions is the row of a profile's emitted frictions.
func EncodeFrictions(list []journey.EmittedFriction) []byte {
	r := &wirepb.FrictionsRow{}
	for _, e := range list {
		r.Frictions = append(r.Frictions, &wirepb.EmittedFrictionRow{Friction: uint32(e.Friction), Touchpoint: keyRow(e.Touchpoint), Hash: e.Hash})
	}
	return marshalRow(r)
}

// DecodeFrictions is the reverse of EncodeFrictions. The strings alias b.
func DecodeFrictions(b []byte) ([]journey.EmittedFriction, error) {
	var r wirepb.FrictionsRow
	if err := unmarshalRow(b, &r); err != nil {
		return nil, err
	}
	out := make([]journey.EmittedFriction, len(r.Frictions))
	for i, e := range r.Frictions {
		out[i] = journey.EmittedFriction{
			FrictionKey: journey.FrictionKey{Friction: int(e.Friction), Touchpoint: fromKeyRow(e.Touchpoint)}, Hash: e.Hash,
		}
	}
	return out, nil
}

// EncodePast is the row of what a profile keeps of points that are gone.
func EncodePast(p *journey.Past) []byte {
	return marshalRow(&wirepb.PastRow{
		Through: keyRow(p.Through), EvictedMs: p.Evicted, Behaviour: behaviour(&p.Behaviour), Troubles: troubles(p.Troubles),
	})
}

// EncodeTail is the row of where a profile stands after its last point.
func EncodeTail(t *journey.Tail) []byte { return AppendTail(nil, t) }

// AppendTail is EncodeTail behind b.
func AppendTail(b []byte, t *journey.Tail) []byte {
	return appendRow(b, stateVersion, &wirepb.TailRow{
		Points: uint32(t.Points), At: keyRow(t.At), Behaviour: behaviour(&t.Behaviour), Troubles: troubles(t.Troubles),
		Standing: standing(&t.Standing), Persona: t.Persona,
	})
}

// DecodeTail is the reverse of EncodeTail. The strings alias b.
func DecodeTail(b []byte) (*journey.Tail, error) {
	var r wirepb.TailRow
	if err := unmarshalRow(b, &r); err != nil {
		return nil, err
	}
	return &journey.Tail{
		Points: int(r.Points), At: fromKeyRow(r.At), Behaviour: fromBehaviour(r.Behaviour), Troubles: fromTroubles(r.Troubles),
		Standing: fromStanding(r.Standing), Persona: r.Persona,
	}, nil
}

func behaviour(b *journey.Behaviour) *wirepb.BehaviourRow {
	return &wirepb.BehaviourRow{
		Traits: b.Traits, Events: b.EventCounts, Channels: b.ChannelCounts, Touchpoints: b.Touchpoints, Sessions: b.Sessions,
		Journeys: b.Journeys, RevenueMicros: b.RevenueMicros, SentimentSum: b.SentimentSum, SentimentCount: b.SentimentCount,
	}
}

func fromBehaviour(b *wirepb.BehaviourRow) journey.Behaviour {
	if b == nil {
		return journey.Behaviour{}
	}
	return journey.Behaviour{
		Traits: b.Traits, EventCounts: b.Events, ChannelCounts: b.Channels, Touchpoints: b.Touchpoints, Sessions: b.Sessions,
		Journeys: b.Journeys, RevenueMicros: b.RevenueMicros, SentimentSum: b.SentimentSum, SentimentCount: b.SentimentCount,
	}
}

func troubles(list []journey.Trouble) []*wirepb.TroubleRow {
	var out []*wirepb.TroubleRow
	for n := range list {
		if t := trouble(n, &list[n]); t != nil {
			out = append(out, t)
		}
	}
	return out
}

func fromTroubles(list []*wirepb.TroubleRow) []journey.Trouble {
	var out []journey.Trouble
	for _, t := range list {
		for len(out) <= int(t.Friction) && t.Friction < journey.MaxFrictions {
			out = append(out, journey.Trouble{})
		}
		if int(t.Friction) < len(out) {
			out[t.Friction] = fromTrouble(t)
		}
	}
	return out
}

// trouble is nil for a pattern of which nothing is known.
func trouble(n int, t *journey.Trouble) *wirepb.TroubleRow {
	if t.Open == nil && !t.Ended && !t.Without && len(t.Repetitions) == 0 {
		return nil
	}
	r := &wirepb.TroubleRow{Friction: uint32(n), Ended: t.Ended, EndMs: t.End, Without: t.Without, WithoutMs: t.WithoutAt}
	if e := t.Open; e != nil {
		r.Open = &wirepb.EpisodeRow{
			Touchpoint: keyRow(e.Key), SessionId: e.SessionID, Channel: e.Channel, JourneyId: e.JourneyID, Stage: int32(e.Stage + 1),
			Substage: int32(e.Substage + 1), Persona: int32(e.Persona + 1), Live: e.Live, DeadlineMs: e.Deadline,
		}
	}
	for _, v := range slices.Sorted(maps.Keys(t.Repetitions)) {
		r.Repetitions = append(r.Repetitions, &wirepb.RepetitionRow{Value: v, TimesMs: t.Repetitions[v]})
	}
	return r
}

// DecodePast is the reverse of EncodePast. The strings alias b.
func DecodePast(b []byte) (*journey.Past, error) {
	var r wirepb.PastRow
	if err := unmarshalRow(b, &r); err != nil {
		return nil, err
	}
	return &journey.Past{
		Through: fromKeyRow(r.Through), Evicted: r.EvictedMs, Behaviour: fromBehaviour(r.Behaviour), Troubles: fromTroubles(r.Troubles),
	}, nil
}

func fromTrouble(r *wirepb.TroubleRow) journey.Trouble {
	t := journey.Trouble{Ended: r.Ended, End: r.EndMs, Without: r.Without, WithoutAt: r.WithoutMs}
	if e := r.Open; e != nil {
		t.Open = &journey.Episode{Deadline: e.DeadlineMs, Struck: journey.Struck{
			Key: fromKeyRow(e.Touchpoint), SessionID: e.SessionId, Channel: e.Channel, JourneyID: e.JourneyId,
			Stage: max(int(e.Stage)-1, -1), Substage: max(int(e.Substage)-1, -1), Persona: max(int(e.Persona)-1, -1), Live: e.Live,
		}}
	}
	for _, v := range r.Repetitions {
		if t.Repetitions == nil {
			t.Repetitions = map[uint64][]int64{}
		}
		t.Repetitions[v.Value] = v.TimesMs
	}
	return t
}
