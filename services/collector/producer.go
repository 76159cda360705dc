package collector

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/services/collector/internal/spool"
)

const (
	linger        = time.Millisecond // with 5 ms, single events came at a third of the rate and cost more CPU
	probeInterval = 2 * time.Second
	probeAgain    = 250 * time.Millisecond // while Kafka is away
	probeTimeout  = 3 * time.Second
	flushTimeout  = 2 * time.Second
	maxBatch      = 1_000_012 // bytes: what Kafka's own clients take, and any topic that is not narrowed
	// smallRecord bounds the count of buffered records by their bytes: few are
	// smaller.
	smallRecord = 256
)

// producer sends the records of requests to Kafka and knows whether Kafka is
// there. Safe for concurrent use.
type producer struct {
	client     *kgo.Client
	topic      string
	maxRecords int64
	maxBytes   int64
	timeout    time.Duration
	log        *zap.Logger
	met        *metrics

	roomy bool                   // the topic is known to take what is sent; of watch
	away  atomic.Pointer[string] // why nothing can be sent; nil: it can
	doubt chan struct{}          // asks for a probe now
	gone  alarm                  // is raised while away is set

	spool   *spool.Spool // nil: none
	drainer *drainer     // of the spool
}

func newProducer(o *Options, met *metrics) (*producer, error) {
	p := &producer{
		topic:      stream.Qualify(o.Namespace, stream.TopicRaw),
		maxRecords: int64(max(o.MaxBufferedBytes/smallRecord, o.MaxEvents)),
		maxBytes:   int64(o.MaxBufferedBytes),
		timeout:    o.ProduceTimeout, log: o.Log, met: met,
		doubt: make(chan struct{}, 1),
	}
	notYet := "Kafka was not reached yet"
	p.away.Store(&notYet) // no news, so nothing is logged
	var err error
	// An idempotent producer with acks=all and hashing of keys by murmur2 are kgo's defaults.
	p.client, err = stream.NewClient(o.Cluster, "collector", o.Log, o.Registerer,
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(linger),
		kgo.ProducerBatchMaxBytes(maxBatch),
		kgo.ProducerBatchCompression(kgo.Lz4Compression(), kgo.NoCompression()),
		kgo.MaxBufferedRecords(int(p.maxRecords)),
		kgo.MaxBufferedBytes(int(p.maxBytes)),
		kgo.RecordDeliveryTimeout(o.ProduceTimeout),
		kgo.ProduceRequestTimeout(o.ProduceTimeout),
	)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// flight is a request's records on their way. It is made by newFlight and
// belongs to one request.
type flight struct {
	records []kgo.Record
	values  []byte // what the records' keys and values alias
	air     *air
}

func newFlight() *flight { return &flight{air: newAir()} }

func (f *flight) reset() {
	clear(f.records)
	f.records, f.values, f.air.err = f.records[:0], f.values[:0], nil
}

// again lets a flight that has landed be sent once more.
func (f *flight) again() { f.air.err = nil }

// leave gives the memory to the client, which still has the records.
func (f *flight) leave() { *f = *newFlight() }

// air is the client's side of a flight.
type air struct {
	left atomic.Int64
	done chan struct{} // receives one value when left reaches 0

	mu  sync.Mutex
	err error // the first one; guarded by mu until done
}

func newAir() *air { return &air{done: make(chan struct{}, 1)} }

// landed is called by the client once for each record.
func (a *air) landed(_ *kgo.Record, err error) {
	if err != nil {
		a.mu.Lock()
		if a.err == nil {
			a.err = err
		}
		a.mu.Unlock()
	}
	if a.left.Add(-1) == 0 {
		a.done <- struct{}{}
	}
}

var (
	errBufferFull = errors.New("the producer's buffer is full")
	// errUnknown: the records may or may not arrive later.
	errUnknown = errors.New("kafka has not acknowledged in time")
)

// hand gives all records to Kafka and waits for all acks, no longer than
// patience unless that is 0, nor, where there is a spool, than Kafka is there.
// After errUnknown they may or may not arrive, and the flight must be left; after
// any other result it has landed.
func (p *producer) hand(f *flight, patience time.Duration) error {
	if p.client.BufferedProduceRecords()+int64(len(f.records)) > p.maxRecords ||
		p.client.BufferedProduceBytes()+int64(len(f.values)) > p.maxBytes {
		return errBufferFull
	}
	begin := time.Now()
	var gone <-chan struct{}
	if p.spool != nil {
		gone = p.gone.channel()
	}
	air := f.air
	air.left.Store(int64(len(f.records)))
	landed := air.landed
	for i := range f.records {
		// Not the request's context: a client that hangs up must not cancel half
		// of its batch.
		p.client.TryProduce(context.Background(), &f.records[i], landed)
	}
	// The client gives up after the timeout, but not on records that a broker may
	// have taken. Then the wait ends here.
	wait := p.timeout + p.timeout/4
	if patience > 0 {
		wait = min(wait, patience)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-air.done:
	case <-gone:
		return errUnknown
	case <-timer.C:
		p.suspect()
		return errUnknown
	}
	p.met.produce.Observe(time.Since(begin).Seconds())
	switch {
	case errors.Is(air.err, kgo.ErrMaxBuffered):
		return errBufferFull
	case air.err != nil:
		p.suspect()
	}
	return air.err
}

// suspect asks watch to look after Kafka now.
func (p *producer) suspect() {
	select {
	case p.doubt <- struct{}{}:
	default:
	}
}

// watch keeps away up to date until ctx ends.
func (p *producer) watch(ctx context.Context) {
	for {
		pause := probeInterval
		if err := p.probe(ctx); err != nil && ctx.Err() == nil {
			p.setAway(err.Error())
			pause = probeAgain
		} else if err == nil {
			p.setHere()
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-p.doubt:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// probe asks for the topic. The error is one sentence without a full stop.
func (p *producer) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	req.AllowAutoTopicCreation = false
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = &p.topic
	req.Topics = append(req.Topics, topic)
	res, err := req.RequestWith(ctx, p.client)
	if err != nil {
		return fmt.Errorf("kafka cannot be reached: %w", err)
	}
	for i := range res.Topics {
		t := &res.Topics[i]
		if err := kerr.ErrorForCode(t.ErrorCode); errors.Is(err, kerr.UnknownTopicOrPartition) {
			return fmt.Errorf("topic %s does not exist: create the namespace's topics first", p.topic)
		} else if err != nil {
			return fmt.Errorf("topic %s cannot be used: %w", p.topic, err)
		}
		for j := range t.Partitions {
			if t.Partitions[j].Leader < 0 {
				return fmt.Errorf("topic %s has no leader for partition %d", p.topic, t.Partitions[j].Partition)
			}
		}
	}
	return p.checkRoom(ctx)
}

// checkRoom asks, until it has the right answer, whether the topic takes batches as
// large as they are sent. If not, small ones would pass and large ones fail for ever. Who may
// not read the topic's configuration is not told.
func (p *producer) checkRoom(ctx context.Context) error {
	if p.roomy {
		return nil
	}
	configs, err := kadm.NewClient(p.client).DescribeTopicConfigs(ctx, p.topic)
	if err == nil {
		_, err = configs.On(p.topic, func(c *kadm.ResourceConfig) error {
			for i := range c.Configs {
				limit, notNumber := strconv.Atoi(c.Configs[i].MaybeValue())
				if c.Configs[i].Key == "max.message.bytes" && notNumber == nil && limit < maxBatch {
					return fmt.Errorf("topic %s takes batches of up to %d bytes, the collector sends up to %d: raise its max.message.bytes", p.topic, limit, maxBatch)
				}
			}
			return c.Err
		})
	}
	var refused *kerr.Error
	if p.roomy = err == nil || errors.As(err, &refused); p.roomy {
		return nil
	}
	return err
}

func (p *producer) setAway(why string) {
	if old := p.away.Swap(&why); old == nil || *old != why {
		p.log.Warn("kafka is away", zap.String("reason", why))
	}
	p.met.kafkaUp.Set(0)
	p.gone.raise()
}

func (p *producer) setHere() {
	p.gone.lower()
	if p.away.Swap(nil) != nil {
		p.log.Info("kafka is there")
	}
	p.met.kafkaUp.Set(1)
}

// close sends what is buffered, briefly: by now every request is answered, so
// that nothing in the buffer was promised to anybody. Of the spool as much is
// sent as goes; the rest stays there.
func (p *producer) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	if err := p.client.Flush(ctx); err != nil {
		p.log.Warn("records without acks are given up, their senders were told to try again, or they are in the spool too",
			zap.Int64("records", p.client.BufferedProduceRecords()), zap.Error(err))
	}
	p.client.Close()
	return p.closeSpool(ctx)
}
