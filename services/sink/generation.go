package sink

import (
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/warehouse"
)

// generation is what is inserted together and whose offsets are committed after.
// One goroutine owns it at a time.
type generation struct {
	shards  map[shardKey]*shard
	offsets map[partition]position
	rows    int
	bytes   int
	began   time.Time // first record; zero while empty
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
}

// position is where a partition will be once the generation is stored.
type position struct {
	offset kgo.EpochOffset // next to read
	tenure uint64
}

func newGeneration() *generation {
	return &generation{shards: map[shardKey]*shard{}, offsets: map[partition]position{}}
}

func (g *generation) empty() bool { return len(g.offsets) == 0 }

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
	sh.records = append(sh.records, r)
	g.rows++
	g.bytes += len(r.Key) + len(r.Value)
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
		sh.records = sh.records[:0]
		p.free[key.table] = append(p.free[key.table], sh)
	}
}
