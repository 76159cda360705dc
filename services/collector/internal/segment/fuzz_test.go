package segment_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"unicode/utf8"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/services/collector/internal/door"
	"github.com/cairnhq/cairn/services/collector/internal/segment"
)

// FuzzDecode looks for bodies that crash the decoder or get a record out of it
// that is no touchpoint or lost a part of the event.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"batch":[{"type":"track","event":"E","userId":"u","properties":{"a":[1,"x"]}}],"sentAt":"2026-11-23T09:00:00Z"}`), false)
	f.Add([]byte(`{"batch":[{"type":"page","anonymousId":7,"context":{"ip":"1.2.3.4"}},{}],"context":{"a":1},"integrations":{"All":true}}`), false)
	f.Add([]byte(`{"userId":"\u0075","writeKey":"k","timestamp":1795424400123,"other":{"deep":[[]]}}`), true)
	f.Add([]byte(`{"externalIds":[{"type":"email","id":"A@b.c"},{"id":null}],"traits":null}`), true)
	f.Fuzz(func(t *testing.T, body []byte, single bool) {
		call := ""
		if single {
			call = "page"
		}
		var q segment.Request
		if rej := q.Decode(&door.Input{Body: body, Kind: call}, door.Limits{EventBytes: 2048, Events: 20, Depth: 8}); rej != nil {
			if rej.Code == "" || rej.Message == "" {
				t.Fatalf("an empty reject: %+v", rej)
			}
			return
		}
		if !json.Valid(body) {
			t.Fatalf("not JSON and not refused: %q", body)
		}
		var dst []byte
		for i := range q.Events {
			var rec door.Record
			rec, dst = q.Append(i, &door.Meta{ReceivedAt: received(), Source: "s", IP: "192.0.2.0"}, dst)
			if rec.Reject != nil {
				if rec.Key != nil || rec.Reject.Code == "" || len(rec.Value) == 0 {
					t.Fatalf("half a reject: %+v", rec)
				}
				continue
			}
			checkTouchpoint(t, body, single, i, &rec)
		}
	})
}

func checkTouchpoint(t *testing.T, body []byte, single bool, i int, rec *door.Record) {
	t.Helper()
	var read wire.Raw
	if err := wire.DecodeRaw(&wire.RawRecord{Value: rec.Value, Arrival: received().UnixMilli()}, &read); err != nil {
		t.Fatalf("the device step cannot read it: %v: %q", err, rec.Value)
	}
	if read.Key != string(rec.Key) {
		t.Fatalf("the device step would re-key it from %q to %q: %q", rec.Key, read.Key, rec.Value)
	}
	var out map[string]any
	if err := json.Unmarshal(rec.Value, &out); err != nil {
		t.Fatalf("%v: %q", err, rec.Value)
	}
	if !utf8.Valid(rec.Key) || journey.Blocked(string(rec.Key)) {
		t.Fatalf("a key that names nobody: %q", rec.Key)
	}
	for _, name := range []string{"messageId", "type", "receivedAt", "source"} {
		if text, _ := out[name].(string); text == "" {
			t.Fatalf("no %s: %q", name, rec.Value)
		}
	}
	if _, has := out["writeKey"]; has {
		t.Fatalf("the write key got out: %q", rec.Value)
	}
	event := map[string]any{}
	if single {
		_ = json.Unmarshal(body, &event)
	} else {
		var whole struct{ Batch []map[string]any }
		if json.Unmarshal(body, &whole) != nil || i >= len(whole.Batch) {
			return // encoding/json folds the case of keys and may have taken another "Batch"
		}
		event = whole.Batch[i]
	}
	ours := map[string]bool{
		"messageId": true, "type": true, "anonymousId": true, "userId": true, "previousId": true, "groupId": true,
		"externalIds": true, "timestamp": true, "originalTimestamp": true, "sentAt": true, "receivedAt": true,
		"source": true, "context": true, "integrations": true, "writeKey": true, "properties": true, "traits": true, "event": true, "channel": true,
	}
	for name, value := range event {
		if !ours[name] && !reflect.DeepEqual(out[name], value) {
			t.Fatalf("%q was %v and became %v", name, value, out[name])
		}
	}
}
