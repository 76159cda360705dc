package importer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire"
)

// reasonMalformed is the reason given with a line that could not be read.
const reasonMalformed = "malformed_line"

// Bounds of what waits in memory for Kafka.
const (
	maxBufferedRecords = 20_000
	maxBufferedBytes   = 64 << 20
	deliveryTimeout    = 2 * time.Minute
)

// KafkaSender writes records to touchpoints.raw, marked as backfill, with
// acks=all and an idempotent producer.
type KafkaSender struct {
	cl    *kgo.Client
	topic string

	mu  sync.Mutex
	err error // of the first record that failed
}

// NewKafkaSender connects and checks that the topic is there: an import into a
// misspelt namespace must not make one.
func NewKafkaSender(ctx context.Context, cluster stream.Cluster, namespace string) (*KafkaSender, error) {
	where := strings.Join(cluster.Brokers, ",")
	cl, err := stream.NewClient(cluster, "import", nil, nil,
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), // murmur2 of the key, as all clients of cairn
		kgo.ProducerBatchCompression(kgo.Lz4Compression(), kgo.NoCompression()),
		kgo.MaxBufferedRecords(maxBufferedRecords),
		kgo.MaxBufferedBytes(maxBufferedBytes),
		kgo.ProducerLinger(10*time.Millisecond),
		kgo.RecordDeliveryTimeout(deliveryTimeout),
	)
	if err != nil {
		return nil, err
	}
	s := &KafkaSender{cl: cl, topic: stream.Qualify(namespace, stream.TopicRaw)}
	try, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	topics, err := kadm.NewClient(cl).ListTopics(try, s.topic)
	if err != nil {
		cl.Close()
		return nil, fmt.Errorf("look for topic %s at %s: %w", s.topic, where, err)
	}
	switch err := topics[s.topic].Err; {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		cl.Close()
		return nil, fmt.Errorf("there is no topic %s at %s: start cairn there first, or name another namespace with --namespace", s.topic, where)
	case err != nil:
		cl.Close()
		return nil, fmt.Errorf("topic %s at %s: %w", s.topic, where, err)
	}
	return s, nil
}

// SetsArrival is false: a writer to Kafka notes the arrival itself.
func (s *KafkaSender) SetsArrival() bool { return false }

// Send hands r to the producer; it blocks while the buffer is full.
func (s *KafkaSender) Send(ctx context.Context, r *Record) error {
	if err := s.failed(); err != nil {
		return err
	}
	rec := &kgo.Record{
		Topic: s.topic, Key: r.Key, Value: r.Value,
		Headers: []kgo.RecordHeader{
			{Key: wire.HeaderBackfill, Value: []byte("1")},
			{Key: wire.HeaderSource, Value: []byte(r.Source)},
		},
	}
	if r.Malformed == "" {
		rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: wire.HeaderContentType, Value: []byte(wire.ContentJSON)})
	} else {
		rec.Headers = append(rec.Headers,
			kgo.RecordHeader{Key: wire.HeaderReason, Value: []byte(reasonMalformed)},
			kgo.RecordHeader{Key: wire.HeaderError, Value: []byte(r.Malformed)})
	}
	// Not ctx: what was handed over is delivered even if the import is stopped.
	s.cl.Produce(context.WithoutCancel(ctx), rec, func(_ *kgo.Record, err error) {
		if err == nil {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.err == nil {
			s.err = fmt.Errorf("write to %s: %w", s.topic, err)
		}
	})
	return nil
}

func (s *KafkaSender) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Flush waits until Kafka has every record, at most as long as one record may take.
func (s *KafkaSender) Flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deliveryTimeout)
	defer cancel()
	if err := s.cl.Flush(ctx); err != nil {
		return errors.Join(fmt.Errorf("flush to %s: %w", s.topic, err), s.failed())
	}
	return s.failed()
}

// Close ends the connections.
func (s *KafkaSender) Close() { s.cl.Close() }
