package sink

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/cairnhq/cairn/pkg/warehouse"
)

// metrics of a sink. Labels are tables and reasons of its own: both few.
type metrics struct {
	rows         *prometheus.CounterVec
	rejected     *prometheus.CounterVec
	dropped      prometheus.Counter
	insertErrors *prometheus.CounterVec
	commitErrors prometheus.Counter
	duration     *prometheus.HistogramVec
	pending      prometheus.Gauge
	held         prometheus.Gauge
	age          prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) *metrics {
	if reg == nil {
		reg = prometheus.NewRegistry()
	}
	f := promauto.With(reg)
	return &metrics{
		rows: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cairn_sink_rows_total", Help: "Rows inserted into ClickHouse.",
		}, []string{"table"}),
		rejected: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cairn_sink_rejected_total", Help: "Records that no table could hold, by reason.",
		}, []string{"reason"}),
		dropped: f.NewCounter(prometheus.CounterOpts{
			Name: "cairn_sink_dropped_total", Help: "Records that even the table rejected refused; they remain in their topic.",
		}),
		insertErrors: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cairn_sink_insert_errors_total", Help: "Inserts that failed and were repeated or split.",
		}, []string{"table"}),
		commitErrors: f.NewCounter(prometheus.CounterOpts{
			Name: "cairn_sink_commit_errors_total", Help: "Offset commits that failed and were repeated later.",
		}),
		duration: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: "cairn_sink_batch_duration_seconds", Help: "Time of one insert.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 12),
		}, []string{"table"}),
		pending: f.NewGauge(prometheus.GaugeOpts{
			Name: "cairn_sink_pending_rows", Help: "Rows read and not yet inserted.",
		}),
		held: f.NewGauge(prometheus.GaugeOpts{
			Name: "cairn_sink_held_rows", Help: "Rows of old months that wait for company, to be inserted in larger parts.",
		}),
		age: f.NewHistogram(prometheus.HistogramOpts{
			Name: "cairn_sink_batch_age_seconds", Help: "Age of a batch's oldest row, since it was read, when its offsets are committed.",
			Buckets: prometheus.ExponentialBuckets(0.05, 2, 14),
		}),
	}
}

func (m *metrics) inserted(t warehouse.Table, rows int, took time.Duration) {
	m.rows.WithLabelValues(string(t)).Add(float64(rows))
	m.duration.WithLabelValues(string(t)).Observe(took.Seconds())
}
