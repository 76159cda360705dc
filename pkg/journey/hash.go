package journey

import "strings"

func cmpStrings(a, b string) int { return strings.Compare(a, b) }

// digest hashes a row's fields, to see whether it differs from what was emitted:
// FNV-1a of 64 bits, as hash/fnv has it, without its allocations. Hashes are part
// of the state: another function would emit everything once more.
type digest uint64

// Of FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

func (d *digest) byte(b byte) { *d = (*d ^ digest(b)) * fnvPrime }

func (d *digest) str(list ...string) {
	for _, s := range list {
		d.uvarint(uint64(len(s)))
		for i := range len(s) {
			d.byte(s[i])
		}
	}
}

func (d *digest) num(list ...int64) {
	for _, n := range list {
		d.uvarint(uint64(n<<1) ^ uint64(n>>63))
	}
}

// uvarint takes in a number as encoding/binary writes it.
func (d *digest) uvarint(n uint64) {
	for ; n >= 0x80; n >>= 7 {
		d.byte(byte(n) | 0x80)
	}
	d.byte(byte(n))
}

// hash covers what readers see, less revision, emission time and liveness.
func (t *Transition) hash() uint64 {
	d := digest(fnvOffset)
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
	return uint64(d)
}

// rowHash covers what readers see of a journey, less revision and liveness.
func (j *Journey) rowHash() uint64 {
	d := digest(fnvOffset)
	d.str(j.ID, j.Status(), j.Persona)
	d.num(j.Start, j.End, int64(j.Touchpoints), int64(j.Business), int64(j.Sessions), j.RevenueMicros, int64(j.Fold.Stage),
		int64(j.Fold.Substage), int64(j.Fold.Furthest), int64(j.Fold.Seq),
		j.SentimentSum, int64(j.SentimentCount), j.Intent)
	if j.Approximate {
		d.num(1)
	}
	return uint64(d)
}

// hash covers what readers see, less revision, emission time and liveness.
func (f *Friction) hash() uint64 {
	d := digest(fnvOffset)
	d.str(f.JourneyID, f.Stage, f.Substage, f.SessionID, f.Channel, f.Persona)
	d.num(f.AtMillis)
	return uint64(d)
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
