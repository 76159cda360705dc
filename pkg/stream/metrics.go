package stream

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// stepMetrics are the metrics of one step.
type stepMetrics struct {
	records  prometheus.Counter
	commits  prometheus.Counter
	aborts   prometheus.Counter
	duration prometheus.Histogram
	rows     *prometheus.GaugeVec
	bytes    *prometheus.GaugeVec
	time     *prometheus.GaugeVec
}

func newStepMetrics(step string, reg prometheus.Registerer) *stepMetrics {
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
		rows: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "cairn_step_state_rows", Help: "Rows of committed state.", ConstLabels: labels,
		}, []string{"partition"}),
		bytes: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "cairn_step_state_bytes", Help: "Size of committed state.", ConstLabels: labels,
		}, []string{"partition"}),
		time: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "cairn_step_stream_timestamp_seconds", Help: "Latest event time seen.", ConstLabels: labels,
		}, []string{"partition"}),
	}
	reg.MustRegister(m.records, m.commits, m.aborts, m.duration, m.rows, m.bytes, m.time)
	return m
}

func (m *stepMetrics) committed(took time.Duration, records int) {
	m.commits.Inc()
	m.records.Add(float64(records))
	m.duration.Observe(took.Seconds())
}

func (m *stepMetrics) state(partition int32, s *State) {
	label := strconv.Itoa(int(partition))
	m.rows.WithLabelValues(label).Set(float64(s.store.Len()))
	m.bytes.WithLabelValues(label).Set(float64(s.store.Bytes()))
	m.time.WithLabelValues(label).Set(float64(s.StreamTime()) / 1000)
}

func (m *stepMetrics) forget(partition int32) {
	label := prometheus.Labels{"partition": strconv.Itoa(int(partition))}
	m.rows.Delete(label)
	m.bytes.Delete(label)
	m.time.Delete(label)
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
