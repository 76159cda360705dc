package wire

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// shopEvents are raw touchpoints like those of the peers' load generator: every
// field filled in, plain ASCII, about 650 bytes.
func shopEvents(n int) [][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	at := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	stamp := func(ms int) string {
		return at.Add(time.Duration(ms) * time.Millisecond).Format("2006-01-02T15:04:05.000Z07:00")
	}
	uuid := func() string {
		return fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", r.Uint32(), r.IntN(1<<16), r.IntN(1<<12), r.IntN(1<<12), r.Uint64()>>16)
	}
	out := make([][]byte, n)
	for i := range out {
		typ, name, ms := "page", "Page Viewed", r.IntN(86_400_000)
		if r.IntN(3) == 0 {
			typ, name = "track", pick("Product Viewed", "Product Added", "Checkout Started", "Form Submitted", "Order Completed")
		}
		path := fmt.Sprintf("/%s/%d", pick("products", "category", "blog", "help", "checkout"), r.IntN(2000))
		var b strings.Builder
		fmt.Fprintf(&b, `{"messageId":"%s","type":"%s","event":"%s","anonymousId":"%s"`, uuid(), typ, name, uuid())
		if r.IntN(8) == 0 {
			fmt.Fprintf(&b, `,"userId":"user-%d"`, r.IntN(50_000))
		}
		fmt.Fprintf(&b, `,"timestamp":"%s","sentAt":"%s","receivedAt":"%s","channel":"%s"`, stamp(ms), stamp(ms+160), stamp(ms+200), pick("web", "email", "store", "app"))
		fmt.Fprintf(&b, `,"context":{"page":{"url":"https://shop.example%s","referrer":"%s"},"campaign":{"source":"%s","medium":"cpc","name":"%s"}`,
			path, pick("", "https://search.example/results?q=running+shoes", "https://social.example/feed"), pick("search", "newsletter", "direct"), pick("spring-launch", "brand", "retargeting-30d"))
		fmt.Fprintf(&b, `,"userAgent":"%s","ip":"10.%d.%d.%d","locale":"%s"},"properties":{"path":"%s","product":"sku-%d","position":%d`,
			pick("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
				"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1"),
			r.IntN(256), r.IntN(256), r.IntN(256), pick("en-US", "de-DE", "fr-FR"), path, r.IntN(5000), r.IntN(50))
		if name == "Order Completed" {
			fmt.Fprintf(&b, `,"revenue":%d.%02d,"currency":"EUR"`, r.IntN(200), r.IntN(100))
		}
		b.WriteString("}}")
		out[i] = []byte(b.String())
	}
	return out
}

// accessEvent is what cairn import makes of a line of an access log.
const accessEvent = `{"messageId":"log-5d41402abc4b2a76b9719d911017c592","type":"page","anonymousId":"9b74c9897bac770ffc029102a200c5de","timestamp":"2015-05-17T10:05:03.000Z",` +
	`"receivedAt":"2026-11-23T04:45:47.123Z","channel":"web","source":"access.log","context":{"page":{"url":"https://www.example.org/presentations/logstash-monitorama-2013/images/kibana-search.png",` +
	`"path":"/presentations/logstash-monitorama-2013/images/kibana-search.png","referrer":"http://semicomplete.com/presentations/logstash-monitorama-2013/"},"userAgent":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_1) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/32.0.1700.77 Safari/537.36","ip":"83.149.9.0"},` +
	`"properties":{"method":"GET","status":200,"bytes":203023}}`

// segmentEvent is rich: what analytics.js sends of an order, with texts in other
// scripts, escapes, and members that cairn only keeps.
const segmentEvent = `{"timestamp":"2026-05-17T10:05:03.123Z","integrations":{"All":true,"Actions Amplitude":{"session_id":1763870000000}},"event":"Order Completed","type":"track",` +
	`"properties":{"order_id":"50314b8e","affiliation":"Café Zürich","total":99.95,"revenue":"89.90","shipping":5,"tax":5.05,"currency":"EUR","products":[{"product_id":"507f1f77","sku":"45790-32","name":"Jacke \"Größe L\"","price":79.9,"quantity":1,"category":"Kleidung","url":"https:\/\/shop.example\/p\/507f1f77"},` +
	`{"product_id":"505bd76785","sku":"46493-32","name":"Uno Card Game","price":10,"quantity":1,"category":"Games"}],"coupon":null},` +
	`"context":{"page":{"path":"/checkout/done","referrer":"https://shop.example/checkout","search":"?a=1","title":"Danke f\u00fcr Ihre Bestellung","url":"https://shop.example/checkout/done?a=1#x"},"userAgent":"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",` +
	`"userAgentData":{"brands":[{"brand":"Chromium","version":"131"}],"mobile":true,"platform":"iOS"},"locale":"de-CH","library":{"name":"analytics.js","version":"npm:next-1.84.3"},"timezone":"Europe/Zurich","screen":{"width":390,"height":844,"density":3},"ip":"2001:db8:1:2::3","campaign":{"source":"newsletter","medium":"email","name":"mai"},` +
	`"traits":{"plan":"pro"}},"messageId":"ajs-next-1763870000123-5f3c9a2b","userId":42,"anonymousId":"a6e6060a-2cbb-40f7-9f25-f30c8ff37a44","externalIds":[{"id":"L-4711","type":"loyalty","collection":"users"},{"type":"email","id":"Ada@Example.com"}],"writeKey":"k","sentAt":"2026-05-17T10:05:03.500Z","receivedAt":"2026-05-17T10:05:03.700Z","_metadata":{"bundled":["Segment.io"],"unbundled":[]}}`

func BenchmarkDecodeRaw(b *testing.B) {
	for _, c := range []struct {
		name  string
		lines [][]byte
	}{
		{"shop", shopEvents(400)}, {"access", [][]byte{[]byte(accessEvent)}}, {"segment", [][]byte{[]byte(segmentEvent)}},
	} {
		for _, d := range []struct {
			name   string
			decode func(*RawRecord, *Raw) error
		}{{"now", DecodeRaw}, {"reference", decodeRawReference}} {
			b.Run(c.name+"/"+d.name, func(b *testing.B) {
				size := 0
				for _, l := range c.lines {
					size += len(l)
				}
				b.SetBytes(int64(size / len(c.lines)))
				b.ReportAllocs()
				in, out := RawRecord{Arrival: 1_800_000_000_000}, Raw{}
				for i := 0; b.Loop(); i++ {
					in.Value = c.lines[i%len(c.lines)]
					if err := d.decode(&in, &out); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
