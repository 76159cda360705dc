package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/stream"
)

// visitor is the anonymous id of visitor n: like an SDK's, in no order.
func visitor(n int) string {
	a, b := scatter(uint64(n)+1), scatter(uint64(n)+1<<40)
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48&0xfff, b&0xffffffffffff)
}

// scatter is splitmix64.
func scatter(z uint64) uint64 {
	z *= 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// pageView is a raw record of visitor n. The message's number tells it from others of
// that visitor.
func pageView(topic string, n, message int, at int64) *kgo.Record {
	id := visitor(n)
	when := time.UnixMilli(at).UTC().Format("2006-01-02T15:04:05.000Z07:00")
	value := make([]byte, 0, 256)
	value = append(value, `{"messageId":"`...)
	value = append(value, messageID(n, message)...)
	value = append(value, `","type":"page","channel":"web","anonymousId":"`...)
	value = append(value, id...)
	value = append(value, `","timestamp":"`...)
	value = append(value, when...)
	value = append(value, `","receivedAt":"`...)
	value = append(value, when...)
	value = append(value, `"}`...)
	return &kgo.Record{Topic: topic, Key: []byte(id), Value: value}
}

func messageID(n, message int) string { return fmt.Sprintf("view-%d-%d", n, message) }

// send produces records to a namespace's raw topic and waits until all are in it.
func (b *bench) send(ctx context.Context, namespace string, each func(topic string, produce func(*kgo.Record))) error {
	cl, err := b.client(kgo.ProducerBatchCompression(kgo.Lz4Compression()), kgo.MaxBufferedRecords(50_000))
	if err != nil {
		return err
	}
	defer cl.Close()
	var failed atomic.Pointer[error]
	each(stream.Qualify(namespace, stream.TopicRaw), func(r *kgo.Record) {
		cl.Produce(ctx, r, func(_ *kgo.Record, err error) {
			if err != nil {
				failed.CompareAndSwap(nil, &err)
			}
		})
	})
	if err := cl.Flush(ctx); err != nil {
		return err
	}
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}
