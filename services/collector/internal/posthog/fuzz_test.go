package posthog_test

import (
	"encoding/json"
	"net/url"
	"testing"
	"time"

	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/services/collector/internal/door"
	"github.com/cairnhq/cairn/services/collector/internal/posthog"
)

// FuzzDecode looks for requests that crash the decoder, or get a record out of
// it that the device step would not take as it is, or that tells the write key.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"api_key":"k-e-y","batch":[{"event":"$identify","distinct_id":"u","properties":{"$anon_distinct_id":"a","$set":{"a":1}}}],"sent_at":"2026-11-23T09:00:00Z"}`), "")
	f.Add([]byte(`[{"event":"$create_alias","properties":{"token":"k-e-y","distinct_id":"a","alias":"u","$is_identified":false}},7]`), "_=1795424401123")
	f.Add([]byte(`data=eyJldmVudCI6IkUifQ%3D%3D&compression=base64`), "beacon=1")
	f.Add([]byte(``), "data=eyJldmVudCI6IiRncm91cGlkZW50aWZ5IiwiZGlzdGluY3RfaWQiOiJ1In0")
	f.Add([]byte("\x1f\x8b\x08\x00"), "compression=gzip-js")
	f.Add([]byte(`{"event":"E","distinct_id":7,"timestamp":1e11,"offset":5,"uuid":"00","properties":{"$ip":"1.2.3.4","$set":7}}`), "compression=lz64")
	f.Fuzz(func(t *testing.T, body []byte, query string) {
		values, _ := url.ParseQuery(query)
		var q posthog.Request
		rej := q.Decode(&door.Input{Body: body, Query: values}, door.Limits{EventBytes: 2048, BodyBytes: 1 << 16, Events: 20, Depth: 8})
		if rej != nil {
			if rej.Code == "" || rej.Message == "" {
				t.Fatalf("an empty reject: %+v", rej)
			}
			return
		}
		var dst []byte
		meta := door.Meta{ReceivedAt: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC), Source: "s", IP: "192.0.2.0"}
		for i := range q.Len() {
			var rec door.Record
			if rec, dst = q.Append(i, &meta, dst); rec.Reject != nil {
				if rec.Key != nil || rec.Reject.Code == "" || len(rec.Value) == 0 {
					t.Fatalf("half a reject: %+v", rec)
				}
				continue
			}
			check(t, &rec, meta.ReceivedAt)
		}
	})
}

func check(t *testing.T, rec *door.Record, at time.Time) {
	t.Helper()
	var read wire.Raw
	if err := wire.DecodeRaw(&wire.RawRecord{Value: rec.Value, Arrival: at.UnixMilli()}, &read); err != nil {
		t.Fatalf("the device step cannot read it: %v: %q", err, rec.Value)
	}
	if read.Key != string(rec.Key) {
		t.Fatalf("the device step would re-key it from %q to %q: %q", rec.Key, read.Key, rec.Value)
	}
	var out struct {
		MessageID, Type string
		Properties      map[string]any
	}
	if err := json.Unmarshal(rec.Value, &out); err != nil || out.MessageID == "" || out.Type == "" {
		t.Fatalf("%v: %q", err, rec.Value)
	}
	for _, secret := range []string{"token", "api_key", "$ip"} {
		if _, has := out.Properties[secret]; has {
			t.Fatalf("%s got out: %q", secret, rec.Value)
		}
	}
}
