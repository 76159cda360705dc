package sink

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// An insert makes a part of the table, and ClickHouse merges parts at a bounded
// rate: with too many it refuses inserts. A live stream fills one or two months. A
// backfill of ten years fills 120 of each table at once, and a part for each of them
// at every flush is more than any server merges. So the rows of old months wait for
// company: a month is inserted once it has enough rows, or has waited for a time
// that grows with the number of months. That bounds the small inserts of old months
// to one per holdPerShard, however many months there are.
const (
	holdPerShard = 100 * time.Millisecond
	holdRows     = 10_000      // rows that need no more company
	idleRelease  = time.Second // without a new record: no company will come
)

// cold says whether a shard belongs to a month that a live stream does not fill: not
// to the current one or its neighbours.
func (k shardKey) cold(now time.Time) bool {
	if k.part == 0 {
		return false
	}
	month := func(shift time.Month) int32 {
		t := time.Date(now.UTC().Year(), now.UTC().Month()+shift, 1, 0, 0, 0, 0, time.UTC)
		return int32(t.Year()*100 + int(t.Month()))
	}
	return k.part < month(-1) || k.part > month(1)
}

// hold is how long rows of old months wait for company.
func (g *generation) hold(now time.Time, o *Options) time.Duration {
	cold := 0
	for key := range g.shards {
		if key.cold(now) {
			cold++
		}
	}
	return min(max(time.Duration(cold)*holdPerShard, o.FlushInterval), o.MaxHold)
}

// full says whether the rows that came since the last hand-over are enough for
// another.
func (g *generation) full(o *Options) bool {
	return g.fresh >= o.MaxRows || g.freshBytes >= o.MaxBytes
}

// dueAt is when the generation is to be looked at again; never, the zero time, if it
// holds nothing.
func (g *generation) dueAt(o *Options) time.Time {
	switch {
	case !g.began.IsZero():
		return g.began.Add(o.FlushInterval)
	case g.empty():
		return time.Time{}
	}
	return g.handed.Add(max(o.FlushInterval, idleRelease)) // only rows that wait
}

// take removes what is to be inserted now, and returns it with the offsets that may
// be committed after. Rows of old months stay if they may: not when all is set, nor
// when nothing has come since the last time, as then no company will come either.
func (g *generation) take(now time.Time, all bool, o *Options) *generation {
	all = all || g.began.IsZero()
	out := newGeneration()
	out.began = now
	hold, enough := g.hold(now, o), min(holdRows, o.MaxRows/4)
	for key, sh := range g.shards {
		if all || !key.cold(now) || sh.batch.Len() >= enough || now.Sub(sh.began) >= hold {
			g.move(out, key, sh)
		}
	}
	if g.bytes > o.MaxHeldBytes {
		g.release(out, o.MaxHeldBytes/2)
	}
	for p, pos := range g.offsets {
		low, held := g.lowest(p, pos.tenure)
		if held {
			pos.offset = low
		} else {
			delete(g.offsets, p)
		}
		out.offsets[p] = pos
	}
	g.fresh, g.freshBytes, g.began, g.handed = 0, 0, time.Time{}, now
	return out
}

// release moves the largest shards until no more than so many bytes are left.
func (g *generation) release(out *generation, left int) {
	keys := slices.SortedFunc(maps.Keys(g.shards), func(a, b shardKey) int { return cmp.Compare(g.shards[b].bytes, g.shards[a].bytes) })
	for _, key := range keys {
		if g.bytes <= left {
			return
		}
		g.move(out, key, g.shards[key])
	}
}

// lowest is the first row of a partition that stays, of those read in the tenure:
// what was read in an earlier one is another sink's to commit.
func (g *generation) lowest(p partition, tenure uint64) (low kgo.EpochOffset, held bool) {
	for _, sh := range g.shards {
		pos, ok := sh.low[p]
		if ok && pos.tenure == tenure && (!held || pos.offset.Offset < low.Offset) {
			low, held = pos.offset, true
		}
	}
	return low, held
}

func (g *generation) move(out *generation, key shardKey, sh *shard) {
	delete(g.shards, key)
	out.shards[key] = sh
	out.rows += sh.batch.Len()
	g.rows -= sh.batch.Len()
	out.bytes += sh.bytes
	g.bytes -= sh.bytes
	if !sh.began.IsZero() && sh.began.Before(out.began) {
		out.began = sh.began
	}
}
