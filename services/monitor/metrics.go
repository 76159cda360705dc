package monitor

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics shows the newest snapshot. Series are made anew at each scrape, so
// that what is unknown is absent, and a topic that is gone leaves nothing behind.
type metrics struct {
	s *Service

	lag, seconds, status, lastCommit *prometheus.Desc
	maxSeconds, sumLag, members      *prometheus.Desc
	lastLook                         *prometheus.Desc

	looks    *prometheus.CounterVec
	duration prometheus.Histogram
}

func newMetrics(s *Service) *metrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	at := []string{"cluster_name", "group", "topic", "partition"}
	return &metrics{
		s: s,
		// The names of kafka-lag-exporter, which dashboards and autoscalers know.
		lag:        desc("kafka_consumergroup_group_lag", "Records between the committed and the last stable offset.", at...),
		seconds:    desc("kafka_consumergroup_group_lag_seconds", "Age of the first record that is not committed.", at...),
		maxSeconds: desc("kafka_consumergroup_group_max_lag_seconds", "Largest lag of the group's partitions in seconds.", "cluster_name", "group"),
		sumLag:     desc("kafka_consumergroup_group_sum_lag", "Sum of the known lags of the group's partitions in records.", "cluster_name", "group"),
		status:     desc("cairn_monitor_status", "1 for the status of the group on the partition.", append(at, "status")...),
		lastCommit: desc("cairn_monitor_last_commit_timestamp_seconds", "When the committed offset was last seen to change.", at...),
		members:    desc("cairn_monitor_group_members", "Consumers connected.", "cluster_name", "group"),
		lastLook:   desc("cairn_monitor_last_look_timestamp_seconds", "When the lag was last looked at with success."),
		looks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cairn_monitor_looks_total", Help: "Looks at the lag by result.",
		}, []string{"result"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "cairn_monitor_look_duration_seconds", Help: "How long a look takes.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20},
		}),
	}
}

func (m *metrics) looked(d time.Duration, err error) {
	result := "ok"
	if err != nil {
		result = "error"
	}
	m.looks.WithLabelValues(result).Inc()
	m.duration.Observe(d.Seconds())
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.lag, m.seconds, m.status, m.lastCommit, m.maxSeconds, m.sumLag, m.members, m.lastLook} {
		ch <- d
	}
	m.looks.Describe(ch)
	m.duration.Describe(ch)
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	m.looks.Collect(ch)
	m.duration.Collect(ch)
	snap := m.s.current()
	if snap == nil {
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	cluster := m.s.o.ClusterName
	gauge(m.lastLook, float64(snap.At.UnixMilli())/1000)
	for group, n := range snap.Members {
		gauge(m.members, float64(n), cluster, group)
	}
	for i := range snap.Partitions {
		p := &snap.Partitions[i]
		at := []string{cluster, p.Group, p.Topic, strconv.Itoa(int(p.Partition))}
		if p.Lag != nil {
			gauge(m.lag, float64(*p.Lag), at...)
		}
		if p.Seconds != nil {
			gauge(m.seconds, *p.Seconds, at...)
		}
		if p.LastCommit != nil {
			gauge(m.lastCommit, float64(p.LastCommit.UnixMilli())/1000, at...)
		}
		for _, st := range Statuses() {
			v := 0.0
			if st == p.Status {
				v = 1
			}
			gauge(m.status, v, append(at, string(st))...)
		}
	}
	for _, g := range snap.Totals() {
		if g.Lag != nil {
			gauge(m.sumLag, float64(*g.Lag), cluster, g.Group)
		}
		if g.Seconds != nil {
			gauge(m.maxSeconds, *g.Seconds, cluster, g.Group)
		}
	}
}

// GroupLag sums a group up over what is known of its partitions: one unknown
// partition does not hide the others.
type GroupLag struct {
	Group   string
	Lag     *int64   // sum; nil: nothing is known
	Seconds *float64 // largest
}

// Totals has an entry a group, in the order of the partitions.
func (s *Snapshot) Totals() []GroupLag {
	var out []GroupLag
	for i := range s.Partitions {
		p := &s.Partitions[i]
		if len(out) == 0 || out[len(out)-1].Group != p.Group {
			out = append(out, GroupLag{Group: p.Group})
		}
		g := &out[len(out)-1]
		if p.Lag != nil {
			sum := *p.Lag
			if g.Lag != nil {
				sum += *g.Lag
			}
			g.Lag = &sum
		}
		if p.Seconds != nil && (g.Seconds == nil || *p.Seconds > *g.Seconds) {
			g.Seconds = p.Seconds
		}
	}
	return out
}
