//go:build synctests

package sessionizer_test

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/journey/journeytest"
	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// finish writes the rest of the history, waits until all is worked off and time
// has closed what it can, and holds everything committed against the oracle.
func (s *sim) finish() {
	s.t.Helper()
	s.produce(len(s.history.records))
	s.settle()
	time.Sleep(40 * time.Second) // longer than it takes to miss a dead owner of a partition, take over and tick
	s.settle()
	now := time.Now().UnixMilli()
	want := journeytest.Batch(s.model, s.history.log, now)
	for i := range want.Sessions { // not columns of the record
		want.Sessions[i].FirstMessage, want.Sessions[i].LastMessage = "", ""
	}
	got := s.tables()
	require.Empty(s.t, journeytest.Diff(want, got.Sort(), journeytest.PartOwners, journeytest.PartSessions,
		journeytest.PartJourneys, journeytest.PartTransitions, journeytest.PartFrictions, journeytest.PartCounts), "committed output (+) is not the oracle's (-)")
	s.requireOffsets()
}

// message is a record as the checks need it.
type message interface {
	UnmarshalVTUnsafe([]byte) error
	GetRevision() uint64
}

// newest reads a topic of rows with revisions: of each key the row of the highest
// one. In the log the revisions of a key must rise.
func newest[M message](s *sim, topic string, empty func() M) map[string]M {
	s.t.Helper()
	rows := map[string]M{}
	for _, rec := range s.read(topic) {
		row := empty()
		require.NoError(s.t, row.UnmarshalVTUnsafe(rec.Value))
		if have, ok := rows[string(rec.Key)]; ok {
			require.Less(s.t, have.GetRevision(), row.GetRevision(), "revisions of %s %q in the log", topic, rec.Key)
		}
		rows[string(rec.Key)] = row
	}
	return rows
}

// tables are the final tables, from the committed records alone.
func (s *sim) tables() *journeytest.Answer {
	s.t.Helper()
	a := &journeytest.Answer{}
	for _, r := range newest(s, stream.TopicSessions, func() *wirepb.Session { return &wirepb.Session{} }) {
		if r.Status != journey.StatusVoid {
			a.Sessions = append(a.Sessions, journeytest.Session{
				Identifier: r.Identifier, Start: r.StartedMs, End: r.EndedMs, Count: int(r.Touchpoints), Status: r.Status,
				RevenueMicros: r.RevenueMicros, Bot: r.IsBot, Channel: r.Channel, LastChannel: r.LastChannel, Device: r.Device,
				Campaign: r.CampaignName, Landing: r.LandingPage, Exit: r.ExitPage, Pages: int(r.Pages), EventCounts: eventCounts(r.Events),
				SentimentSum: r.SentimentSum, SentimentCount: int(r.SentimentCount),
			})
		}
	}
	journeys := newest(s, stream.TopicJourneys, func() *wirepb.Journey { return &wirepb.Journey{} })
	for _, r := range journeys {
		if r.Status != journey.StatusVoid {
			a.Journeys = append(a.Journeys, journeytest.Journey{
				Profile: r.Profile, Start: r.StartedMs, End: r.EndedMs, Touchpoints: int(r.Touchpoints), Business: int(r.BusinessTouchpoints),
				Status: r.Status, Converted: r.Converted, Stage: r.Stage, Substage: r.Substage, RevenueMicros: r.RevenueMicros,
				SentimentSum: r.SentimentSum, SentimentCount: int(r.SentimentCount), Persona: r.Persona, IntentMillis: r.IntentMillis,
				Sessions: int(r.Sessions),
			})
		}
	}
	s.transitions(a, journeys)
	s.frictions(a, journeys)
	s.touchpoints(a)
	s.quality(a)
	return a
}

// transitions reads the newest transitions into a.
func (s *sim) transitions(a *journeytest.Answer, journeys map[string]*wirepb.Journey) {
	s.t.Helper()
	rows := map[string]wire.Transition{}
	for _, rec := range s.read(stream.TopicTransitions) {
		var t wire.Transition
		require.NoError(s.t, wire.DecodeTransition(rec.Value, &t))
		key := t.JourneyID + "/" + strconv.Itoa(int(t.Seq))
		if have, ok := rows[key]; ok {
			require.Less(s.t, have.Revision, t.Revision, "revisions of transition %s in the log", key)
		}
		rows[key] = t
	}
	for _, t := range rows {
		if t.Status == journey.StatusVoid {
			continue
		}
		j := journeys[t.JourneyID]
		require.NotNil(s.t, j, "transition of the unknown journey %s", t.JourneyID)
		a.Transitions = append(a.Transitions, journeytest.Transition{
			Profile: t.Profile, JourneyStart: j.StartedMs, Seq: int(t.Seq), From: t.From, To: t.To, Direction: t.Direction,
			Substage: t.Substage, Skipped: t.Skipped, At: t.AtMillis, Dwell: t.DwellMillis, MessageID: t.TouchpointID, Identifier: t.Identifier,
			Channel: t.Channel, Sentiment: t.Sentiment, Persona: t.Persona,
		})
	}
}

// frictions reads the newest frictions into a.
func (s *sim) frictions(a *journeytest.Answer, journeys map[string]*wirepb.Journey) {
	s.t.Helper()
	rows := map[string]journey.Friction{}
	for _, rec := range s.read(stream.TopicFrictions) {
		var f journey.Friction
		require.NoError(s.t, wire.DecodeFriction(rec.Value, &f))
		if have, ok := rows[f.ID]; ok {
			require.Less(s.t, have.Revision, f.Revision, "revisions of friction %s in the log", f.ID)
		}
		rows[f.ID] = f
	}
	for _, f := range rows {
		if f.Status == journey.StatusVoid {
			continue
		}
		row := journeytest.FrictionRow{
			Profile: f.Profile, Name: f.Name, Kind: f.Kind, Severity: f.Severity, At: f.AtMillis, MessageID: f.TouchpointID,
			Identifier: f.Identifier, Channel: f.Channel, Stage: f.Stage, Substage: f.Substage, Persona: f.Persona,
		}
		if f.JourneyID != "" {
			require.Contains(s.t, journeys, f.JourneyID, "journey of a friction")
			row.JourneyStart = journeys[f.JourneyID].StartedMs
		}
		a.Frictions = append(a.Frictions, row)
	}
}

func eventCounts(list []*wirepb.EventCount) map[string]int {
	out := map[string]int{}
	for _, c := range list {
		out[c.Event] = int(c.Count)
	}
	return out
}

// touchpoints reads whose each touchpoint is, by the identities, into a. Each
// must be there once.
func (s *sim) touchpoints(a *journeytest.Answer) {
	s.t.Helper()
	identities := newest(s, stream.TopicIdentities, func() *wirepb.Identity { return &wirepb.Identity{} })
	a.Owners = map[journeytest.Point]string{}
	for _, rec := range s.read(stream.TopicTouchpoints) {
		if slices.ContainsFunc(rec.Headers, func(h kgo.RecordHeader) bool { return h.Key == wire.HeaderType }) {
			continue
		}
		tp := &wirepb.Touchpoint{}
		require.NoError(s.t, tp.UnmarshalVTUnsafe(rec.Value))
		p := journeytest.Point{Identifier: tp.Identifier, MessageID: tp.MessageId}
		require.NotContains(s.t, a.Owners, p, "a touchpoint is there twice")
		a.Owners[p] = ownerBy(identities, tp)
	}
}

// ownerBy resolves a touchpoint's profile as a reader of the identities does.
func ownerBy(identities map[string]*wirepb.Identity, tp *wirepb.Touchpoint) string {
	user := tp.UserId
	if id := identities[tp.Identifier]; user == "" && id != nil && !id.Frozen {
		for i, l := range id.Map {
			if i == 0 || cmp.Or(cmp.Compare(l.FromMs, tp.TimeMs), cmp.Compare(l.MessageId, tp.MessageId)) <= 0 {
				user = l.UserId
			}
		}
	}
	if user == "" {
		return tp.Identifier
	}
	profile := journey.KindUser + ":" + user
	if id := identities[profile]; id != nil && len(id.Map) > 0 {
		return journey.KindUser + ":" + id.Map[0].UserId
	}
	return profile
}

// quality reads the totals into a. Every record of the history was accepted once.
func (s *sim) quality(a *journeytest.Answer) {
	s.t.Helper()
	sum := wirepb.Quality{}
	for _, q := range newest(s, stream.TopicQuality, func() *wirepb.Quality { return &wirepb.Quality{} }) {
		sum.Accepted += q.Accepted
		sum.Touchpoints += q.Touchpoints
		sum.Duplicates += q.Duplicates
		sum.Rejected += q.Rejected
		sum.Late += q.Late
	}
	require.Equal(s.t, [3]uint64{uint64(len(s.history.records)), uint64(len(a.Owners)), 0},
		[3]uint64{sum.Accepted, sum.Touchpoints, sum.Rejected}, "accepted, touchpoints, rejected")
	require.Len(s.t, s.read(stream.TopicLate), int(sum.Late))
	a.Duplicates, a.Late = int(sum.Duplicates), int(sum.Late)
}

// requireOffsets: in the committed changelogs the input offsets never go back,
// and the last ones are what the groups have committed.
func (s *sim) requireOffsets() {
	s.t.Helper()
	for group, input := range map[string]string{stream.GroupDevice: stream.TopicRaw, stream.GroupProfile: stream.TopicTouchpoints} {
		last := map[int32]*wirepb.PartitionMeta{}
		for _, rec := range s.read(group + ".changelog") {
			if string(rec.Key) != "\x00meta" {
				continue
			}
			meta, err := wire.DecodeMeta(rec.Value)
			require.NoError(s.t, err)
			if have := last[rec.Partition]; have != nil {
				require.GreaterOrEqual(s.t, meta.NextOffset, have.NextOffset, "%s/%d: the input offset went back", group, rec.Partition)
				require.GreaterOrEqual(s.t, meta.Counter, have.Counter, "%s/%d: the counter of revisions went back", group, rec.Partition)
			}
			last[rec.Partition] = meta
		}
		offsets, err := kadm.NewClient(s.cl).FetchOffsets(s.t.Context(), stream.Qualify(simNamespace, group))
		require.NoError(s.t, err)
		for p, meta := range last {
			at := int64(-1) // nothing read of the partition
			if o, ok := offsets.Lookup(stream.Qualify(simNamespace, input), p); ok {
				at = o.At
			}
			require.Equal(s.t, meta.NextOffset, at, "%s/%d: state and committed offset", group, p)
		}
	}
}
