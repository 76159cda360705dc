package journey

import (
	"encoding/binary"
	"hash/fnv"
	"strings"
)

func cmpStrings(a, b string) int { return strings.Compare(a, b) }

// digest hashes a row's fields, to see whether it differs from what was emitted.
type digest struct{ buf []byte }

func (d *digest) str(list ...string) {
	for _, s := range list {
		d.buf = binary.AppendUvarint(d.buf, uint64(len(s)))
		d.buf = append(d.buf, s...)
	}
}

func (d *digest) num(list ...int64) {
	for _, n := range list {
		d.buf = binary.AppendVarint(d.buf, n)
	}
}

func (d *digest) sum() uint64 {
	h := fnv.New64a()
	h.Write(d.buf)
	return h.Sum64()
}

// hash covers what readers see, less revision, emission time and liveness.
func (t *Transition) hash() uint64 {
	var d digest
	d.str(t.From, t.To, t.Direction, t.Substage, t.TouchpointID, t.Identifier, t.SessionID, t.Channel,
		t.CampaignSource, t.CampaignMedium, t.CampaignName, t.Model, t.Persona)
	d.str(t.Skipped...)
	d.num(int64(t.Seq), t.AtMillis)
	if t.DwellMillis != nil {
		d.num(*t.DwellMillis)
	}
	if t.Sentiment != nil {
		d.num(1, int64(*t.Sentiment))
	}
	return d.sum()
}

// rowHash covers what readers see of a journey, less revision and liveness.
func (j *Journey) rowHash() uint64 {
	var d digest
	d.str(j.ID, j.Status(), j.Persona)
	d.num(j.Start, j.End, int64(j.Touchpoints), int64(j.Business), int64(j.Sessions), j.RevenueMicros, int64(j.Fold.Stage),
		int64(j.Fold.Substage), int64(j.Fold.Furthest), int64(j.Fold.Seq),
		j.SentimentSum, int64(j.SentimentCount), j.Intent)
	if j.Approximate {
		d.num(1)
	}
	return d.sum()
}

// hash covers what readers see, less revision, emission time and liveness.
func (f *Friction) hash() uint64 {
	var d digest
	d.str(f.JourneyID, f.Stage, f.Substage, f.SessionID, f.Channel, f.Persona)
	d.num(f.AtMillis)
	return d.sum()
}

// Published is the hash of the row as last emitted; it is part of the state.
func (j *Journey) Published() uint64 { return j.published }

// Restored says that the other fields come from stored state, which was published
// with a hash.
func (j *Journey) Restored(published uint64) {
	j.published = published
	if j.Lapsed {
		j.lapsedAt = j.End
	}
}
