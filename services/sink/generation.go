package sink

import (
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/warehouse"
)

// generation is what is inserted together and whose offsets are committed after.
// The one that is being filled hands over what is due (take) and keeps the rest.
// One goroutine owns it at a time.
type generation struct {
	shards  map[shardKey]*shard
	offsets map[partition]position
	rows    int
	bytes   int

	// Since the last hand-over; began is zero if nothing came.
	fresh, freshBytes int
	began             time.Time

	handed  time.Time // last hand-over
	reading partition // that the records being added come from
	tenure  uint64    // of reading
	run     uint64    // counts what reading was set to
}

// shardKey is a table and the value of its partition key, 0 where it has none. Rows
// of a rebuild that is not complete have a shard of their own, others epoch 0.
type shardKey struct {
	table warehouse.Table
	part  int32
	epoch uint32
}

// shard is the rows of one insert, and the records they came from.
type shard struct {
	batch   warehouse.Batch
	records []*kgo.Record // as many as rows
	epoch   uint32        // see shardKey
	bytes   int           // of the records
	began   time.Time     // first row
	low     map[partition]position
	run     uint64 // of the generation, when low was looked at last
}

// position is a place in a partition, and the tenure it was read in.
type position struct {
	offset kgo.EpochOffset // next to read
	tenure uint64
}

func newGeneration() *generation {
	return &generation{shards: map[shardKey]*shard{}, offsets: map[partition]position{}}
}

func (g *generation) empty() bool { return len(g.offsets) == 0 && len(g.shards) == 0 }

// read notes where the records that are added next come from.
func (g *generation) read(p partition, tenure uint64) {
	g.reading, g.tenure = p, tenure
	g.run++
}

// advance notes that a record has been dealt with.
func (g *generation) advance(r *kgo.Record, tenure uint64) {
	if g.began.IsZero() {
		g.began = time.Now()
	}
	g.offsets[partition{r.Topic, r.Partition}] = position{
		offset: kgo.EpochOffset{Epoch: r.LeaderEpoch, Offset: r.Offset + 1}, tenure: tenure,
	}
}

// added notes that the shard's batch got a row made from r.
func (g *generation) added(sh *shard, r *kgo.Record) {
	if sh.run != g.run {
		sh.run = g.run
		sh.note(g.reading, position{kgo.EpochOffset{Epoch: r.LeaderEpoch, Offset: r.Offset}, g.tenure})
	}
	sh.records = append(sh.records, r)
	size := len(r.Key) + len(r.Value)
	sh.bytes += size
	g.rows++
	g.bytes += size
	g.fresh++
	g.freshBytes += size
}

// note keeps the first row of a partition: while the shard is not stored, nothing
// behind it may be committed.
func (sh *shard) note(p partition, pos position) {
	if sh.low == nil {
		sh.low = map[partition]position{}
	}
	if sh.began.IsZero() {
		sh.began = time.Now()
	}
	was, ok := sh.low[p]
	if !ok || was.tenure != pos.tenure || pos.offset.Offset < was.offset.Offset {
		sh.low[p] = pos
	}
}

// shardOf returns the generation's batch of a table and partition value, which has
// the type B.
func shardOf[B warehouse.Batch](g *generation, pool *shardPool, t warehouse.Table, part int32, epoch uint32) (*shard, B) {
	key := shardKey{t, part, epoch}
	sh := g.shards[key]
	if sh == nil {
		sh = pool.get(t)
		sh.epoch = epoch
		g.shards[key] = sh
	}
	return sh, sh.batch.(B)
}

// newBatch makes an empty batch for a table.
func newBatch(t warehouse.Table) warehouse.Batch {
	switch t {
	case warehouse.TableTouchpoints:
		return warehouse.NewTouchpointBatch()
	case warehouse.TableLate:
		return warehouse.NewLateBatch()
	case warehouse.TableRejected:
		return warehouse.NewRejectedBatch()
	case warehouse.TableSessions:
		return warehouse.NewSessionBatch()
	case warehouse.TableJourneys:
		return warehouse.NewJourneyBatch()
	case warehouse.TableTransitions:
		return warehouse.NewTransitionBatch()
	case warehouse.TableFrictions:
		return warehouse.NewFrictionBatch()
	case warehouse.TableIdentities:
		return warehouse.NewIdentityBatch()
	case warehouse.TableQuality:
		return warehouse.NewQualityBatch()
	case warehouse.TableEpochs:
		return warehouse.NewEpochBatch()
	}
	panic("sink: no batch for table " + string(t))
}

// poolSize is how many batches of a table are kept for reuse: one being filled and
// one being inserted. More, as a backfill of many months needs, go to the garbage
// collector, so that the room for them is not held for ever.
const poolSize = 2

// shardPool keeps emptied batches with their room. Safe for concurrent use.
type shardPool struct {
	mu   sync.Mutex
	free map[warehouse.Table][]*shard
}

func (p *shardPool) get(t warehouse.Table) *shard {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.free[t]
	if len(list) == 0 {
		return &shard{batch: newBatch(t)}
	}
	last := list[len(list)-1]
	p.free[t] = list[:len(list)-1]
	return last
}

// put takes the batches of a stored generation back.
func (p *shardPool) put(g *generation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.free == nil {
		p.free = map[warehouse.Table][]*shard{}
	}
	for key, sh := range g.shards {
		if len(p.free[key.table]) >= poolSize {
			continue
		}
		sh.batch.Reset()
		clear(sh.records)
		*sh = shard{batch: sh.batch, records: sh.records[:0]}
		p.free[key.table] = append(p.free[key.table], sh)
	}
}
