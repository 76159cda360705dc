package stream

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// stepMetrics are the metrics of one step.
type stepMetrics struct {
	records  prometheus.Counter
	commits  prometheus.Counter
	aborts   prometheus.Counter
	duration prometheus.Histogram
	time     *prometheus.GaugeVec
	progress *prometheus.GaugeVec
	seconds  *prometheus.GaugeVec
	replayed prometheus.Counter
	sizes    *sizes
}

func newStepMetrics(step string, log *zap.Logger, reg prometheus.Registerer) *stepMetrics {
	labels := prometheus.Labels{"step": step}
	m := &stepMetrics{
		records: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cairn_step_records_total", Help: "Input records in committed transactions.", ConstLabels: labels,
		}),
		commits: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cairn_step_commits_total", Help: "Committed transactions.", ConstLabels: labels,
		}),
		aborts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cairn_step_aborts_total", Help: "Aborted transactions, rebalances included.", ConstLabels: labels,
		}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "cairn_step_transaction_duration_seconds", Help: "From begin to commit.", ConstLabels: labels,
			Buckets: []float64{.01, .025, .05, .1, .15, .25, .5, 1, 2.5, 5, 10},
		}),
		time: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "cairn_step_stream_timestamp_seconds", Help: "Latest event time seen.", ConstLabels: labels,
		}, []string{"partition"}),
		progress: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "cairn_step_restore_progress", Help: "How much of the changelog's part that was missing is read: 0 to 1.", ConstLabels: labels,
		}, []string{"partition"}),
		seconds: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "cairn_step_restore_duration_seconds", Help: "How long the last restore took.", ConstLabels: labels,
		}, []string{"partition"}),
		replayed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cairn_step_restored_rows_total", Help: "Rows read from the changelog.", ConstLabels: labels,
		}),
		sizes: newSizes(step, log),
	}
	reg.MustRegister(m.records, m.commits, m.aborts, m.duration, m.time, m.progress, m.seconds, m.replayed, m.sizes)
	return m
}

func (m *stepMetrics) committed(took time.Duration, records int) {
	m.commits.Inc()
	m.records.Add(float64(records))
	m.duration.Observe(took.Seconds())
}

// restoring tells that a restore has read n rows more and a part of all.
func (m *stepMetrics) restoring(partition int32, part float64, n int) {
	m.progress.WithLabelValues(strconv.Itoa(int(partition))).Set(part)
	m.replayed.Add(float64(n))
}

func (m *stepMetrics) restored(partition int32, took time.Duration) {
	m.seconds.WithLabelValues(strconv.Itoa(int(partition))).Set(took.Seconds())
}

// streamTime is the gauge of a partition's stream time.
func (m *stepMetrics) streamTime(partition int32) prometheus.Gauge {
	return m.time.WithLabelValues(strconv.Itoa(int(partition)))
}

func (m *stepMetrics) forget(partition int32) {
	label := prometheus.Labels{"partition": strconv.Itoa(int(partition))}
	m.time.Delete(label)
	m.progress.Delete(label)
	m.seconds.Delete(label)
	m.sizes.set(partition, nil)
}

// scope is a Registerer that can take back all that was registered through it,
// so that a step that is made anew can register the same metrics again. A nil
// Registerer inside swallows everything.
type scope struct {
	prometheus.Registerer
	mu   sync.Mutex
	list []prometheus.Collector // guarded by mu
}

func (s *scope) Register(c prometheus.Collector) error {
	if s.Registerer == nil {
		return nil
	}
	if err := s.Registerer.Register(c); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, c)
	return nil
}

func (s *scope) MustRegister(list ...prometheus.Collector) {
	for _, c := range list {
		if err := s.Register(c); err != nil {
			panic(err) // two metrics of one name: a bug
		}
	}
}

func (s *scope) Unregister(c prometheus.Collector) bool {
	return s.Registerer != nil && s.Registerer.Unregister(c)
}

func (s *scope) unregisterAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.list {
		s.Unregister(c)
	}
	s.list = nil
}
