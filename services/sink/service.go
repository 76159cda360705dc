package sink

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/warehouse"
)

// Options of a sink. Zero durations and sizes mean their defaults.
type Options struct {
	Namespace  string
	Cluster    stream.Cluster
	DSN        string // of ClickHouse, clickhouse://user:password@host:9000/namespace
	Log        *zap.Logger
	Registerer prometheus.Registerer // nil: no metrics

	// FlushInterval is how long a row waits for company; default 700 ms.
	FlushInterval time.Duration
	// MaxRows and MaxBytes (of record values) fill a batch before that; default
	// 100,000 rows and 64 MB. Up to three times as much is held in memory: one
	// batch being filled, one being inserted, one fetched.
	MaxRows  int
	MaxBytes int
	// MaxHold and MaxHeldBytes bound how long, and how many bytes of record values,
	// rows of old months wait for company while a backfill goes on; default 1 min
	// and 64 MB. Offsets behind such rows are committed when they are stored.
	MaxHold      time.Duration
	MaxHeldBytes int
	// StopTimeout bounds the last flush after Run's context ended; default 10 s.
	StopTimeout time.Duration

	insertTimeout time.Duration // of one insert; shorter in tests
}

const (
	defaultFlushInterval = 700 * time.Millisecond
	defaultMaxRows       = 100_000
	defaultMaxBytes      = 64 << 20
	defaultMaxHold       = time.Minute
	defaultMaxHeldBytes  = 64 << 20
	defaultStopTimeout   = 10 * time.Second
)

func (o *Options) setDefaults() {
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.FlushInterval == 0 {
		o.FlushInterval = defaultFlushInterval
	}
	if o.MaxRows == 0 {
		o.MaxRows = defaultMaxRows
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.MaxHold == 0 {
		o.MaxHold = defaultMaxHold
	}
	if o.MaxHeldBytes == 0 {
		o.MaxHeldBytes = defaultMaxHeldBytes
	}
	if o.StopTimeout == 0 {
		o.StopTimeout = defaultStopTimeout
	}
	if o.insertTimeout == 0 {
		o.insertTimeout = insertTimeout
	}
}

// Service is one sink. Several may run in a namespace and share its partitions.
type Service struct {
	o       Options
	log     *zap.Logger
	conn    driver.Conn
	metrics *metrics
	status  status
	owned   assignment
	pool    shardPool
	client  *kgo.Client   // set by Run before anything reads it
	idle    chan struct{} // holds a token while nothing is being inserted
	atStep  func(string)  // tests only, may be nil

	inserted progress
	complete atomic.Uint32 // epoch of the newest rebuild that readers see
}

// New checks the options. It connects to nothing yet.
func New(_ context.Context, o Options) (*Service, error) {
	o.setDefaults()
	if err := warehouse.CheckNamespace(o.Namespace); err != nil {
		return nil, err
	}
	if _, err := o.Cluster.Options(); err != nil {
		return nil, err
	}
	if min(o.MaxRows, o.MaxBytes, o.MaxHeldBytes) < 0 || min(o.FlushInterval, o.StopTimeout, o.MaxHold) < 0 {
		return nil, errors.New("the sink's sizes and times must not be negative")
	}
	conn, err := warehouse.OpenLazy(o.DSN)
	if err != nil {
		return nil, err
	}
	s := &Service{o: o, log: o.Log.Named("sink"), conn: conn, metrics: newMetrics(o.Registerer), idle: make(chan struct{}, 1)}
	s.status.starting()
	return s, nil
}

// Run applies the DDL, joins the group and carries records until ctx ends. Then it
// inserts and commits what it holds, within Options.StopTimeout, leaves the group
// and returns nil. It returns an error only for what no retry can mend. It may be
// called once.
func (s *Service) Run(ctx context.Context) error {
	defer func() { _ = s.conn.Close() }()
	// Work outlives ctx by the time for the last flush.
	work, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(s.o.StopTimeout, abort) })()

	if err := s.migrate(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	client, err := s.newClient()
	if err != nil {
		return fmt.Errorf("start the sink's Kafka client: %w", err)
	}
	s.client = client
	s.status.setClient(client)
	defer client.CloseAllowingRebalance()

	full := make(chan *generation)
	flushed := make(chan struct{})
	go func() {
		defer close(flushed)
		s.flushAll(work, full)
	}()
	s.consume(ctx, work, full)
	close(full)
	<-flushed
	if err := client.LeaveGroupContext(work); err != nil && work.Err() == nil {
		s.log.Warn("leave the consumer group", zap.Error(err))
	}
	return nil
}

// migrate applies the DDL, as often as it takes ClickHouse to answer. A database that
// this program must leave alone is an error at once.
func (s *Service) migrate(ctx context.Context) error {
	for wait := backoff(0); ; wait = backoff(wait) {
		err := warehouse.Migrate(ctx, s.conn, s.o.Namespace)
		if err == nil {
			err = s.settle(ctx) // what a sink before may have left
		}
		if err == nil {
			s.status.clickhouse(nil)
			return nil
		}
		if errors.Is(err, warehouse.ErrEdited) || errors.Is(err, warehouse.ErrNewer) || errors.Is(err, warehouse.ErrCluster) || ctx.Err() != nil {
			return err
		}
		s.status.clickhouse(err)
		s.log.Warn("apply the warehouse's DDL, will retry", zap.Error(err), zap.Duration("wait", wait))
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
	}
}

// topics are the derived topics that have a table.
func topics() []string {
	return []string{
		stream.TopicTouchpoints, stream.TopicLate, stream.TopicRejected, stream.TopicSessions, stream.TopicIdentities,
		stream.TopicJourneys, stream.TopicTransitions, stream.TopicFrictions, stream.TopicQuality,
		stream.TopicEpochs,
	}
}

func (s *Service) newClient() (*kgo.Client, error) {
	const fetchBytes, partitionBytes = 16 << 20, 4 << 20
	const sessionTimeout = 10 * time.Second // when a killed sink is missed; a zombie does no harm
	names := topics()
	for i, name := range names {
		names[i] = stream.Qualify(s.o.Namespace, name)
	}
	return stream.NewClient(s.o.Cluster, "sink", s.o.Log, s.o.Registerer,
		kgo.ConsumerGroup(stream.Qualify(s.o.Namespace, stream.GroupSink)),
		kgo.SessionTimeout(sessionTimeout),
		kgo.ConsumeTopics(names...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		// The markers that end transactions are read so that their offsets can be
		// committed: the last record of a topic is one, and lag would never be 0.
		kgo.KeepControlRecords(),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(partitionBytes),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, parts map[string][]int32) { s.owned.add(parts) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, parts map[string][]int32) { s.owned.remove(parts) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, parts map[string][]int32) { s.owned.remove(parts) }),
	)
}

// Ready is nil while records flow or could flow, else one sentence that names what
// is missing.
func (s *Service) Ready() error { return s.status.ready() }
