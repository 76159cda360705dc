package collector

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cairnhq/cairn/services/collector/internal/spool"
)

// Outcomes of events.
const (
	outcomeAccepted = "accepted" // acknowledged by Kafka, or in the spool
	outcomeRejected = "rejected" // in Kafka with a reason, for touchpoints.rejected
	outcomeRefused  = "refused"  // by the rate limit
	outcomeDropped  = "dropped"  // not stored, by the source's rules
	outcomeFailed   = "failed"   // answered 503 for want of Kafka's acks
)

// metrics of the collector. Labels are bounded: routes, codes and reasons are
// ours, sources the operator's.
type metrics struct {
	requests *prometheus.CounterVec   // door, route, code
	events   *prometheus.CounterVec   // source, outcome
	rejects  *prometheus.CounterVec   // source, reason
	bytes    *prometheus.CounterVec   // direction
	inFlight prometheus.Gauge         // requests
	produce  prometheus.Histogram     // seconds
	duration *prometheus.HistogramVec // seconds by door and route
	kafkaUp  prometheus.Gauge         // 0 or 1

	lostLinks *prometheus.CounterVec // reason

	dropped    *prometheus.CounterVec // source, reason
	keysUsable prometheus.Gauge       // 0 or 1

	spooled     *prometheus.CounterVec // outcome
	spoolDamage *prometheus.CounterVec // kind
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
		requests:  prometheus.NewCounterVec(opts("requests_total", "Requests by door, route and status code."), []string{"door", "route", "code"}),
		events:    prometheus.NewCounterVec(opts("events_total", "Events by source and what became of them."), []string{"source", "outcome"}),
		rejects:   prometheus.NewCounterVec(opts("rejected_events_total", "Events that cannot be accepted, by reason."), []string{"source", "reason"}),
		bytes:     prometheus.NewCounterVec(opts("bytes_total", "Bytes of bodies received (decompressed) and of records sent to Kafka."), []string{"direction"}),
		produce:   prometheus.NewHistogram(hist("produce_seconds", "Time from handing a request's records to the producer to Kafka's last ack.")),
		duration:  prometheus.NewHistogramVec(hist("request_seconds", "Time to answer a request."), []string{"door", "route"}),
		lostLinks: prometheus.NewCounterVec(opts("lost_links_total", "Links of /r that were followed without being recorded, by reason."), []string{"reason"}),

		dropped:    prometheus.NewCounterVec(opts("dropped_events_total", "Events that were not stored because the source's rules on consent or do_not_track say so."), []string{"source", "reason"}),
		keysUsable: prometheus.NewGauge(prometheus.GaugeOpts(opts("keys_file_usable", "1 while collector.keys_file is in use as it is, 0 while it is wrong and the keys from before stay."))),

		spooled:     prometheus.NewCounterVec(opts("spool_events_total", "Events that the spool took (appended), had no room for (full), could not write (failed), sent to Kafka (sent), tried again (retried) or set aside because Kafka will never take them (refused)."), []string{"outcome"}),
		spoolDamage: prometheus.NewCounterVec(opts("spool_damaged_bytes_total", "Bytes of the spool that could not be read and were kept aside: damaged, or torn at a crash before anybody was promised them."), []string{"kind"}),

		inFlight: prometheus.NewGauge(prometheus.GaugeOpts(opts("in_flight_requests", "Requests being served."))),
		kafkaUp:  prometheus.NewGauge(prometheus.GaugeOpts(opts("kafka_up", "1 while Kafka answers and the topic is there."))),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.requests, m.events, m.rejects, m.bytes, m.produce, m.duration, m.inFlight, m.kafkaUp, m.lostLinks, m.spooled, m.spoolDamage, m.dropped, m.keysUsable} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// watchSpool registers the gauges of a spool.
func (m *metrics) watchSpool(reg prometheus.Registerer, s *spool.Spool) error {
	if reg == nil {
		return nil
	}
	gauge := func(name, help string, of func(spool.Stats) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "cairn", Subsystem: "collector", Name: name, Help: help},
			func() float64 { return of(s.Stats()) })
	}
	for _, c := range []prometheus.Collector{
		gauge("spool_bytes", "Bytes of the spool on disk.", func(st spool.Stats) float64 { return float64(st.Bytes) }),
		gauge("spool_records", "Events in the spool that are not in Kafka yet.", func(st spool.Stats) float64 { return float64(st.Records) }),
		gauge("spool_age_seconds", "Age of the oldest event in the spool; 0: none.", func(st spool.Stats) float64 {
			if st.Oldest.IsZero() {
				return 0
			}
			return max(time.Since(st.Oldest).Seconds(), 0)
		}),
	} {
		if err := reg.Register(c); err != nil {
			return err
		}
	}
	return nil
}
