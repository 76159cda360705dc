package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/stream"
)

// warming is how long events are sent that are checked but not measured.
const warming = 3 * time.Second

// sighting is a transition that a reader of committed records saw.
type sighting struct {
	at    int64 // Unix ms
	value []byte
}

// latency measures from append to touchpoints.raw, by the broker's clock, until a
// reader of committed records has the transition. Each event is a visitor's first, so
// that each causes one.
func (b *bench) latency(ctx context.Context) error {
	rate := b.rate
	if rate == 0 {
		if err := b.sessionized(ctx); err != nil {
			return err
		}
		rate = max(1, int(b.maximum/10))
	}
	say("latency at %d events/s", rate)
	const ns = namespace + "latency"
	if err := b.topics(ctx, ns); err != nil {
		return err
	}
	p, err := b.start(ctx, "sessionizer", ns, "--data", filepath.Join(b.dir, ns))
	if err != nil {
		return err
	}
	defer func() { _ = p.stop() }()
	if err := p.await(ctx, "/readyz", 20*time.Millisecond); err != nil {
		return err
	}
	reader, err := b.client(kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeTopics(stream.Qualify(ns, stream.TopicTransitions)))
	if err != nil {
		return err
	}
	defer reader.Close()
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	var seen []sighting
	var count atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for watching.Err() == nil {
			fetches := reader.PollFetches(watching)
			now := time.Now().UnixMilli()
			for r := range fetches.RecordsAll() {
				seen = append(seen, sighting{now, r.Value})
			}
			count.Store(int64(len(seen)))
		}
	}()
	sent, err := b.pace(ctx, ns, rate)
	if err != nil {
		return err
	}
	// What is not there after so long is lost; what comes twice may come later.
	const lost = 30 * time.Second
	for deadline := time.Now().Add(lost); int(count.Load()) < len(sent) && time.Now().Before(deadline) && ctx.Err() == nil; {
		sleep(ctx, 50*time.Millisecond)
	}
	sleep(ctx, 2*time.Second)
	cancel()
	<-done
	return b.judge(ctx, ns, rate, sent, seen)
}

// pace sends first page views at a rate and returns when each was sent, Unix ms.
func (b *bench) pace(ctx context.Context, ns string, rate int) ([]int64, error) {
	cl, err := b.client(kgo.ProducerLinger(0), kgo.ProducerBatchCompression(kgo.Lz4Compression()))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	var failed atomic.Pointer[error]
	topic := stream.Qualify(ns, stream.TopicRaw)
	total := int(float64(rate) * (warming + b.lasting).Seconds())
	sent := make([]int64, 0, total)
	for began := time.Now(); len(sent) < total && ctx.Err() == nil; sleep(ctx, 2*time.Millisecond) {
		for due := min(total, int(time.Since(began).Seconds()*float64(rate))); len(sent) < due; {
			now := time.Now().UnixMilli()
			cl.Produce(ctx, pageView(topic, len(sent), 0, now), func(_ *kgo.Record, err error) {
				if err != nil {
					failed.CompareAndSwap(nil, &err)
				}
			})
			sent = append(sent, now)
		}
	}
	if err := cl.Flush(ctx); err != nil {
		return nil, err
	}
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	return sent, ctx.Err()
}

// judge matches transitions and events, and prints how long they took.
func (b *bench) judge(ctx context.Context, ns string, rate int, sent []int64, seen []sighting) error {
	appended := make([]int64, len(sent))
	err := b.read(ctx, stream.Qualify(ns, stream.TopicRaw), func(r *kgo.Record) error {
		n, err := numberOf(r.Value, "messageId")
		if err != nil || n >= len(appended) {
			return errors.Join(err, fmt.Errorf("%q is none of the events sent", r.Value))
		}
		appended[n] = r.Timestamp.UnixMilli() // LogAppendTime
		return nil
	})
	if err != nil {
		return err
	}
	reached := make([]int64, len(sent))
	twice := 0
	for _, s := range seen {
		var event struct{ Data json.RawMessage }
		if err := json.Unmarshal(s.value, &event); err != nil {
			return err
		}
		n, err := numberOf(event.Data, "touchpoint_id")
		if err != nil || n >= len(reached) {
			return errors.Join(err, fmt.Errorf("%q is of none of the events sent", s.value))
		}
		if reached[n] != 0 {
			twice++
			continue
		}
		reached[n] = s.at
	}
	lost, first := 0, int(float64(rate)*warming.Seconds())
	var fromAppend, fromSend []int64
	for n, at := range reached {
		switch {
		case at == 0:
			lost++
		case n >= first:
			fromAppend, fromSend = append(fromAppend, at-appended[n]), append(fromSend, at-sent[n])
		}
	}
	behind := ""
	if took := time.Duration(sent[len(sent)-1]-sent[0]) * time.Millisecond; took > (warming+b.lasting)*11/10 {
		behind = fmt.Sprintf("sending took %s instead of %s: the rate was not reached", took, warming+b.lasting)
	}
	check := b.report.verdict(failure(differs("transitions lost", lost, 0), differs("transitions twice", twice, 0), behind))
	if len(fromAppend) == 0 {
		return errors.New("no transition came")
	}
	b.latencies(rate, lost, check, fromAppend, fromSend)
	return nil
}

// latencies prints how long transitions took.
func (b *bench) latencies(rate, lost int, check string, fromAppend, fromSend []int64) {
	t := b.report.table(fmt.Sprintf("Latency until a reader of committed records has the transition, at %d events/s for %s", rate, b.lasting),
		"from", "p50 ms", "p90 ms", "p99 ms", "worst ms", "events", "lost", "check")
	for _, x := range []struct {
		from string
		list []int64
	}{{"append to touchpoints.raw", fromAppend}, {"the writer's send", fromSend}} {
		slices.Sort(x.list)
		at := func(q float64) string { return strconv.FormatInt(quantile(x.list, q), 10) }
		t.add(x.from, at(.5), at(.9), at(.99), at(1), strconv.Itoa(len(x.list)), strconv.Itoa(lost), check)
	}
	p99 := quantile(fromAppend, .99)
	b.report.aim("p99 from append to the transition", "< 700 ms", fmt.Sprintf("%d ms", p99), p99 < 700)
}

// quantile is the value that a part q of a sorted list does not exceed.
func quantile(sorted []int64, q float64) int64 {
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// numberOf is the visitor's number in a message id, which a member of a JSON object has.
func numberOf(object []byte, member string) (int, error) {
	var m map[string]any
	if err := json.Unmarshal(object, &m); err != nil {
		return 0, err
	}
	id, _ := m[member].(string)
	n, _, _ := strings.Cut(strings.TrimPrefix(id, "view-"), "-")
	return strconv.Atoi(n)
}
