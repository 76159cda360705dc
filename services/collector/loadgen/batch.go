package loadgen

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	devices = 50_000
	// variants of a connection's batch: enough that no two requests in a row are
	// alike.
	variants = 8
)

// batch makes the requests of one connection. They are whole byte strings made
// beforehand; only the messageIds change from one to the next.
type batch struct {
	requests   [][]byte
	ids        [][]int // where the messageIds of each request stand
	turn       uint64
	connection uint64
	eventBytes int // mean
}

func newBatch(o *Options, host string, connection int) *batch {
	b := &batch{connection: uint64(connection)}
	random := rand.New(rand.NewPCG(o.Seed, uint64(connection)))
	auth := base64.StdEncoding.EncodeToString([]byte(o.WriteKey + ":"))
	events := 0
	for range variants {
		body := []byte(`{"batch":[`)
		var ids []int
		for i := range o.BatchEvents {
			if i > 0 {
				body = append(body, ',')
			}
			before := len(body)
			body = append(body, `{"messageId":"`...)
			ids = append(ids, len(body))
			body = appendEvent(append(body, "00000000000000000000000000000000"...), random)
			events += len(body) - before
		}
		body = fmt.Appendf(body, `],"sentAt":"%s"}`, time.Now().UTC().Format(time.RFC3339Nano))
		head := fmt.Appendf(nil, "POST /v1/batch HTTP/1.1\r\nHost: %s\r\nAuthorization: Basic %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", host, auth, len(body))
		for i := range ids {
			ids[i] += len(head)
		}
		b.requests = append(b.requests, append(head, body...))
		b.ids = append(b.ids, ids)
	}
	b.eventBytes = events / variants
	return b
}

// next is the following request, with new messageIds. It is valid until the
// request after next.
func (b *batch) next() []byte {
	n := b.turn % variants
	request := b.requests[n]
	for i, at := range b.ids[n] {
		var id [16]byte
		putUint64(id[:8], b.connection<<32|uint64(i))
		putUint64(id[8:], b.turn)
		hex.Encode(request[at:at+32], id[:])
	}
	b.turn++
	return request
}

func putUint64(b []byte, v uint64) {
	for i := range 8 {
		b[i] = byte(v >> (56 - 8*i))
	}
}

// appendEvent appends an event from behind the digits of its messageId: some
// 700 bytes of what a shop's pages send.
func appendEvent(dst []byte, random *rand.Rand) []byte {
	events := [...]string{"Product Viewed", "Product List Viewed", "Product Added", "Cart Viewed", "Checkout Started", "Order Completed"}
	product := random.IntN(2000)
	// Few devices do most of it.
	device := int(float64(devices) * random.Float64() * random.Float64())
	dst = fmt.Appendf(dst, `","type":"track","event":"%s","anonymousId":"%08x-5b7e-4c1d-9a3f-%012x",`, events[random.IntN(len(events))], device, device*7919)
	if device%10 == 0 {
		dst = fmt.Appendf(dst, `"userId":"user-%d",`, device)
	}
	dst = fmt.Appendf(dst, `"timestamp":"%s",`, time.Now().Add(-time.Duration(random.IntN(5000))*time.Millisecond).UTC().Format("2006-01-02T15:04:05.000Z"))
	dst = fmt.Appendf(dst, `"context":{"library":{"name":"analytics.js","version":"2.11.1"},"locale":"en-GB","ip":"203.0.%d.%d",`, random.IntN(256), random.IntN(256))
	dst = append(dst, `"userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",`...)
	dst = fmt.Appendf(dst, `"page":{"url":"https://shop.example/products/%d","path":"/products/%d","title":"Product %d","referrer":"https://search.example/"},`, product, product, product)
	dst = append(dst, `"campaign":{"source":"newsletter","medium":"email","name":"autumn"}},`...)
	return fmt.Appendf(dst, `"properties":{"product_id":"p%d","category":"shoes","price":%d.%02d,"quantity":%d,"currency":"EUR"}}`,
		product, random.IntN(200), random.IntN(100), 1+random.IntN(3))
}
