package stream

import (
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// sizes are the gauges of how much state there is. It is measured when metrics are
// read, so that the loop does not wait for it, and not more often than sizeEvery.
type sizes struct {
	rows, bytes *prometheus.Desc
	log         *zap.Logger

	mu     sync.Mutex
	stores map[int32]Store    // guarded by mu
	last   map[int32][2]int64 // guarded by mu: rows, bytes
	at     time.Time          // guarded by mu: when last was measured
}

// sizeEvery is how old a measure may be when metrics are read.
const sizeEvery = 15 * time.Second

func newSizes(step string, log *zap.Logger) *sizes {
	labels := prometheus.Labels{"step": step}
	return &sizes{
		rows: prometheus.NewDesc("cairn_step_state_rows",
			"Rows of committed state. An estimate: replaced rows count until compaction drops them.", []string{"partition"}, labels),
		bytes: prometheus.NewDesc("cairn_step_state_bytes",
			"Size of committed state on disk, compressed; what is not yet on disk as it is. An estimate.", []string{"partition"}, labels),
		log: log, stores: map[int32]Store{},
	}
}

// set notes a partition's store, nil forgets it.
func (s *sizes) set(partition int32, store Store) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at = (time.Time{}); store == nil {
		delete(s.stores, partition)
		return
	}
	s.stores[partition] = store
}

// Describe implements prometheus.Collector.
func (s *sizes) Describe(ch chan<- *prometheus.Desc) { ch <- s.rows; ch <- s.bytes }

// Collect implements prometheus.Collector.
func (s *sizes) Collect(ch chan<- prometheus.Metric) {
	for p, size := range s.measure() {
		label := strconv.Itoa(int(p))
		ch <- prometheus.MustNewConstMetric(s.rows, prometheus.GaugeValue, float64(size[0]), label)
		ch <- prometheus.MustNewConstMetric(s.bytes, prometheus.GaugeValue, float64(size[1]), label)
	}
}

func (s *sizes) measure() map[int32][2]int64 {
	s.mu.Lock()
	stores, last := maps.Clone(s.stores), s.last
	fresh := time.Since(s.at) < sizeEvery
	s.mu.Unlock()
	if fresh {
		return last
	}
	began := time.Now()
	last = map[int32][2]int64{}
	for p, store := range stores {
		rows, size, err := store.Size()
		if err != nil {
			s.log.Warn("the state cannot be measured", zap.Int32("partition", p), zap.Error(err))
			continue
		}
		last[p] = [2]int64{rows, size}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if maps.Equal(s.stores, stores) { // else a partition came or went meanwhile: measure again
		s.last, s.at = last, began
	}
	return last
}
