package rudder_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/services/collector/internal/door"
	"github.com/cairnhq/cairn/services/collector/internal/rudder"
)

// FuzzPixel looks for queries that crash the decoder, or get a record out of it
// that the device step would not take as it is.
func FuzzPixel(f *testing.F) {
	f.Add("anonymousId=a&event=E&context.page.url=https%3A%2F%2Fshop.example&properties.a=1&properties.a.b=2")
	f.Add("userId=u&event=E&timestamp=2026-11-23T10:00:00Z&context=x&traits.a.b.c.d.e.f.g.h.i.j.k=1&.=1&..a=2")
	f.Add("messageId=m&externalIds=1&event=%ff")
	f.Fuzz(func(t *testing.T, query string) {
		values, _ := url.ParseQuery(query)
		var q rudder.Request
		at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
		if rej := q.Decode(&door.Input{Kind: "track", Query: values}, door.Limits{EventBytes: 2048, BodyBytes: 1 << 16, Events: 20, Depth: 8}); rej != nil {
			t.Fatalf("a query is always JSON: %v", rej)
		}
		rec, _ := q.Append(0, &door.Meta{ReceivedAt: at, Source: "s"}, nil)
		if rec.Reject != nil {
			return
		}
		var read wire.Raw
		if err := wire.DecodeRaw(&wire.RawRecord{Value: rec.Value, Arrival: at.UnixMilli()}, &read); err != nil {
			t.Fatalf("the device step cannot read it: %v: %q", err, rec.Value)
		}
		if read.Key != string(rec.Key) {
			t.Fatalf("the device step would re-key it from %q to %q: %q", rec.Key, read.Key, rec.Value)
		}
	})
}
