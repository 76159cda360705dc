package console

import "github.com/prometheus/client_golang/prometheus"

// metrics of the console.
type metrics struct {
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	queries   prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cairn_console_requests_total",
			Help: "Answers, by route and status code.",
		}, []string{"route", "code"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "cairn_console_request_duration_seconds",
			Help:    "Time from the request to the end of the answer, by route.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"route"}),
		queries: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "cairn_console_map_reads",
			Help: "Journey maps being read from ClickHouse now.",
		}),
	}
	for _, c := range []prometheus.Collector{m.requests, m.durations, m.queries} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
