// Package sinkbench measures how fast the sink carries touchpoints from Kafka into
// ClickHouse. It is what "make bench" runs; nothing in production imports it.
package sinkbench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"syscall"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/warehouse"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
	"github.com/cairnhq/cairn/services/sink"
)

// Fill produces n touchpoints of one day, as rich as a web shop's, to the
// namespace's topic touchpoints, which must exist.
func Fill(ctx context.Context, cluster stream.Cluster, namespace string, n int) error {
	client, err := stream.NewClient(cluster, "sinkbench", nil, nil,
		kgo.DefaultProduceTopic(stream.Qualify(namespace, stream.TopicTouchpoints)), kgo.ProducerLinger(5*time.Millisecond))
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for i := range n {
		t := touchpoint(i)
		value, err := t.MarshalVT()
		if err != nil {
			return fmt.Errorf("encode touchpoint %d: %w", i, err)
		}
		r := &kgo.Record{
			Key: []byte(t.Owner), Value: value,
			Headers: []kgo.RecordHeader{{Key: wire.HeaderSchema, Value: []byte("touchpoint/1")}, {Key: wire.HeaderContentType, Value: []byte(wire.ContentProtobuf)}},
		}
		client.Produce(ctx, r, func(_ *kgo.Record, err error) {
			if err != nil {
				cancel(err)
			}
		})
		if ctx.Err() != nil {
			break
		}
	}
	if err := client.Flush(ctx); err != nil {
		return fmt.Errorf("produce touchpoints: %w", context.Cause(ctx))
	}
	return context.Cause(ctx)
}

// touchpoint makes the i-th one: a seventh begin a visitor's session, every
// thirtieth is an order.
func touchpoint(i int) *wirepb.Touchpoint {
	const day, begin = 24 * 60 * 60 * 1000, 1767225600000 // 2026-01-01
	hex := func(n, prime int) string {
		return fmt.Sprintf("%016x%016x", uint64(n*prime), uint64(n+1)*0x9e3779b97f4a7c15)
	}
	visitor := "anonymous:" + hex(i/26, 7919)
	product := "/products/" + strconv.Itoa(i*31%700)
	at := int64(begin + i*37%day)
	t := &wirepb.Touchpoint{
		MessageId: hex(i, 104729), Identifier: visitor, Owner: visitor, Type: "track", Event: "product_viewed", TimeMs: at, ReceivedMs: at + 40,
		Channel: []string{"organic_search", "email", "direct", "paid_search"}[i%4], Actor: "customer", Source: "shop", SessionId: hex(i/7, 15485863),
		PageUrl: "https://shop.example" + product + "?utm_source=news&utm_medium=email", PagePath: product, PageTitle: "Product " + strconv.Itoa(i*31%700),
		Referrer: "https://search.example/", CampaignSource: "news", CampaignMedium: "email", CampaignName: "spring_" + strconv.Itoa(i%12),
		UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:" + strconv.Itoa(i%200) + ".0) Gecko/20100101 Firefox", Ip: "203.0.113.0", Locale: "en-GB",
		Properties:   `{"path":"` + product + `","product":"p-` + strconv.Itoa(i*31%700) + `","position":` + strconv.Itoa(i%20) + `}`,
		RawPartition: int32(i % 6), RawOffset: int64(i), Revision: uint64(i + 1),
	}
	if i%30 == 0 {
		t.Event, t.RevenueMicros, t.Currency, t.UserId = "order_completed", int64(i%9000)*10_000, "EUR", strconv.Itoa(i/26)
	}
	return t
}

// Result of Measure.
type Result struct {
	Rows    uint64        // inserted
	Elapsed time.Duration // from the first batch in ClickHouse to the last
	Startup time.Duration // from the start to the first batch: DDL, group, first fetch
	CPU     time.Duration // this process's, user and system, over both
	// ServerCPU is ClickHouse's, merges in the background included.
	ServerCPU time.Duration
	// RowsPerSecond leaves the first batch out, as its time belongs to Startup.
	RowsPerSecond float64
}

// Measure runs a sink until it has inserted that many touchpoints, which should be
// on the topic already: a sink that waits for records measures its waiting. The
// sink's group must be new to the namespace. o.Registerer is replaced.
func Measure(ctx context.Context, o sink.Options, rows uint64) (Result, error) {
	const look = 5 * time.Millisecond
	reg := prometheus.NewRegistry()
	o.Registerer = reg
	s, err := sink.New(ctx, o)
	if err != nil {
		return Result{}, err
	}
	conn, err := warehouse.Open(ctx, o.DSN)
	if err != nil {
		return Result{}, err
	}
	defer func() { _ = conn.Close() }()
	serverCPU, err := serverCPUOf(ctx, conn)
	if err != nil {
		return Result{}, err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	begin, cpu := time.Now(), processCPU()
	go func() { done <- s.Run(running) }()

	var res Result
	var first uint64
	var firstAt, lastAt time.Time
	tick := time.NewTicker(look)
	defer tick.Stop()
	for res.Rows < rows {
		select {
		case err := <-done: // ctx ended, or it cannot work
			return res, errors.Join(fmt.Errorf("the sink ended after %d of %d rows", res.Rows, rows), err, ctx.Err())
		case <-tick.C:
		}
		n, err := inserted(reg)
		if err != nil {
			return res, err
		}
		if n > res.Rows {
			lastAt = time.Now()
		}
		if n > 0 && first == 0 {
			first, firstAt = n, time.Now()
		}
		res.Rows = n
	}
	res.CPU = processCPU() - cpu
	server, err := serverCPUOf(ctx, conn)
	if err != nil {
		return res, err
	}
	res.ServerCPU = server - serverCPU
	res.Startup, res.Elapsed = firstAt.Sub(begin), lastAt.Sub(firstAt)
	if res.Elapsed > 0 {
		res.RowsPerSecond = float64(res.Rows-first) / res.Elapsed.Seconds()
	}
	stop()
	return res, <-done
}

// inserted reads the sink's own counter.
func inserted(g prometheus.Gatherer) (uint64, error) {
	families, err := g.Gather()
	if err != nil {
		return 0, fmt.Errorf("read the sink's metrics: %w", err)
	}
	for _, f := range families {
		if f.GetName() != "cairn_sink_rows_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			if m.GetLabel()[0].GetValue() == "touchpoints" {
				return uint64(m.GetCounter().GetValue()), nil
			}
		}
	}
	return 0, nil
}

// serverCPUOf is what the server's queries, inserts and merges have taken so far.
func serverCPUOf(ctx context.Context, conn driver.Conn) (time.Duration, error) {
	var micros uint64
	err := conn.QueryRow(ctx, "SELECT sum(value) FROM system.events WHERE event IN ('UserTimeMicroseconds', 'SystemTimeMicroseconds')").Scan(&micros)
	if err != nil {
		return 0, fmt.Errorf("read ClickHouse's processor time: %w", err)
	}
	return time.Duration(micros) * time.Microsecond, nil
}

func processCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0 // cannot happen on Linux
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
