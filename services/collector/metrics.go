package collector

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Outcomes of events.
const (
	outcomeAccepted = "accepted" // acknowledged by Kafka
	outcomeRejected = "rejected" // in Kafka with a reason, for touchpoints.rejected
	outcomeRefused  = "refused"  // by the rate limit
	outcomeFailed   = "failed"   // answered 503 for want of Kafka's acks
)

// metrics of the collector. Labels are bounded: routes, codes and reasons are
// ours, sources the operator's.
type metrics struct {
	requests *prometheus.CounterVec   // route, code
	events   *prometheus.CounterVec   // source, outcome
	rejects  *prometheus.CounterVec   // source, reason
	bytes    *prometheus.CounterVec   // direction
	inFlight prometheus.Gauge         // requests
	produce  prometheus.Histogram     // seconds
	duration *prometheus.HistogramVec // seconds by route
	kafkaUp  prometheus.Gauge         // 0 or 1
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	opts := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Namespace: "cairn", Subsystem: "collector", Name: name, Help: help}
	}
	hist := func(name, help string) prometheus.HistogramOpts {
		return prometheus.HistogramOpts{
			Namespace: "cairn", Subsystem: "collector", Name: name, Help: help,
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 15),
		}
	}
	m := &metrics{
		requests: prometheus.NewCounterVec(opts("requests_total", "Requests by route and status code."), []string{"route", "code"}),
		events:   prometheus.NewCounterVec(opts("events_total", "Events by source and what became of them."), []string{"source", "outcome"}),
		rejects:  prometheus.NewCounterVec(opts("rejected_events_total", "Events that cannot be accepted, by reason."), []string{"source", "reason"}),
		bytes:    prometheus.NewCounterVec(opts("bytes_total", "Bytes of bodies received (decompressed) and of records sent to Kafka."), []string{"direction"}),
		produce:  prometheus.NewHistogram(hist("produce_seconds", "Time from handing a request's records to the producer to Kafka's last ack.")),
		duration: prometheus.NewHistogramVec(hist("request_seconds", "Time to answer a request."), []string{"route"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts(opts("in_flight_requests", "Requests being served."))),
		kafkaUp:  prometheus.NewGauge(prometheus.GaugeOpts(opts("kafka_up", "1 while Kafka answers and the topic is there."))),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.requests, m.events, m.rejects, m.bytes, m.produce, m.duration, m.inFlight, m.kafkaUp} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
