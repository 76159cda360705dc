package wire_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/wire"
)

const arrival = int64(1_779_012_000_000) // 2026-05-17T10:00:00Z

func decode(t *testing.T, body string) wire.Raw {
	t.Helper()
	var out wire.Raw
	require.NoError(t, wire.DecodeRaw(&wire.RawRecord{Value: []byte(body), Partition: 2, Offset: 7, Arrival: arrival}, &out))
	return out
}

func TestDecodeRawReadsEveryField(t *testing.T) {
	r := decode(t, `{
		"messageId": "m1", "type": "track", "event": "Order Completed", "anonymousId": " a1 ", "userId": 42,
		"externalIds": [{"type": "Loyalty", "id": "L9"}, {"type": "email", "id": "Ann@Example.COM"}, {"type": "email", "id": null}],
		"timestamp": "2026-05-17T09:59:00.5+00:00", "receivedAt": "2026-05-17T10:00:01Z", "channel": "Web", "source": "shop",
		"context": {
			"page": {"url": "https://shop.example/cart?x=1", "referrer": "https://search.example/", "title": "Cart"},
			"campaign": {"source": "news", "medium": "email", "name": "may", "term": "t", "content": "c", "id": 77},
			"userAgent": "Mozilla", "ip": "203.0.113.9", "locale": "en-GB", "app": {"version": "1.2"}, "traits": {"plan": "pro"}
		},
		"properties": {"revenue": 49.95, "currency": "EUR", "note": "é\"x"}, "futureField": [1]}`)
	require.Equal(t, wire.Raw{
		Key: "a1", OtherKeys: []string{"L9", "ann@example.com"},
		Touchpoint: journey.Touchpoint{
			MessageID: "m1", Identifier: "anonymous:a1", UserID: "42", Others: []string{"loyalty:L9", "email:ann@example.com"},
			Type: "track", Event: "order_completed", Actor: "customer", Channel: "web", Source: "shop",
			Time: arrival - 59_500, Received: arrival + 1000,
			Page:     journey.Page{URL: "https://shop.example/cart?x=1", Path: "/cart", Title: "Cart", Referrer: "https://search.example/"},
			Campaign: journey.Campaign{Source: "news", Medium: "email", Name: "may", Term: "t", Content: "c"}, CampaignID: "77",
			UserAgent: "Mozilla", IP: "203.0.113.9", Locale: "en-GB", RevenueMicros: 49_950_000, Currency: "EUR",
			Properties: `{"revenue": 49.95, "currency": "EUR", "note": "é\"x"}`, Traits: `{"plan": "pro"}`,
			Context: `{"app":{"version": "1.2"},"other":{"futureField":[1]}}`, RawPartition: 2, RawOffset: 7,
		},
	}, r)
}

func TestDecodeRawReadsTheDeviceOfTheSDK(t *testing.T) {
	for device, want := range map[string]string{
		`{"type": "iOS", "model": "iPhone17,1"}`: "mobile", `{"type": "ios", "model": "iPad13,1"}`: "tablet", `{"type": "android"}`: "mobile",
		`{"type": "Mobile"}`: "mobile", `{"type": "tablet"}`: "tablet", `{"type": "desktop"}`: "desktop", `{"type": "tvos"}`: "tv",
		`{"type": "toaster"}`: "", `{"type": 5}`: "", `{}`: "", `"ios"`: "", `null`: "", `[{"type": "ios"}]`: "",
	} {
		r := decode(t, `{"type": "screen", "userId": "u", "context": {"device": `+device+`}}`)
		require.Equal(t, want, r.Touchpoint.Device, device)
		require.Equal(t, `{"device":`+device+`}`, r.Touchpoint.Context, "it is kept, too")
	}
	r := decode(t, `{"type": "screen", "userId": "u", "context": {"device": {"type": "ios"}}, "context": {"ip": "::1"}}`)
	require.Empty(t, r.Touchpoint.Device, "of the last context only")
}

func TestDecodeRawAllocatesWhatTheTouchpointOwns(t *testing.T) {
	in := wire.RawRecord{Arrival: arrival, Value: []byte(`{"messageId":"m","type":"track","event":"Order Completed","anonymousId":"a","timestamp":"2026-05-17T09:59:00.500Z","receivedAt":"2026-05-17T10:00:00Z",
		"context":{"page":{"url":"https://shop.example/a?b"},"userAgent":"Mozilla","ip":"203.0.113.9"},"properties":{"revenue":9.5,"list":[{"a":null},true]}}`)}
	var out wire.Raw
	allocs := testing.AllocsPerRun(100, func() { require.NoError(t, wire.DecodeRaw(&in, &out)) })
	require.LessOrEqual(t, allocs, 2.0, "the identifier and the event's name")
}

func TestDecodeRawFillsIn(t *testing.T) {
	r := decode(t, `{"type": "page", "userId": "u", "anonymousId": "undefined", "messageId": ""}`)
	require.Equal(t, "raw-2-7", r.Touchpoint.MessageID)
	require.Equal(t, "user:u", r.Touchpoint.Identifier)
	require.Equal(t, "u", r.Key)
	require.Equal(t, "page_viewed", r.Touchpoint.Event)
	require.Equal(t, arrival, r.Touchpoint.Time)
	require.Equal(t, "track", decode(t, `{"event": "x", "anonymousId": "a"}`).Touchpoint.Type)
	page := decode(t, `{"type": "page", "name": "Home", "anonymousId": "a", "properties": {"path": "/", "url": "https://x.example/"}}`).Touchpoint.Page
	require.Equal(t, journey.Page{URL: "https://x.example/", Path: "/", Title: "Home"}, page)
}

func TestDecodeRawRejects(t *testing.T) {
	for body, want := range map[string]string{
		``:                                     "bad_json",
		`{"a": 1`:                              "bad_json",
		"{\"anonymousId\": \"\xff\"}":          "bad_json",
		`"text"`:                               "bad_json",
		`{"type": "jump", "anonymousId": "a"}`: "bad_type /type",
		`{"anonymousId": "a"}`:                 "bad_type /type",
		`{"type": "page", "anonymousId": "0000-00"}`:                           "no_identifier",
		`{"type": "page", "anonymousId": {"a": 1}}`:                            "no_identifier",
		`{"type": "page", "userId": "a", "actor": "x"}`:                        "bad_actor /actor",
		`{"type": "page", "userId": "a", "sentAt": "x"}`:                       "bad_time /sentAt",
		`{"type": "page", "userId": "a", "timestamp": []}`:                     "bad_time /timestamp",
		`{"type": "page", "userId": "a", "timestamp": 1e300}`:                  "bad_time /timestamp",
		`{"type": "page", "userId": "a", "timestamp": "1066-10-14T09:00:00Z"}`: "bad_time /timestamp",
		`{"x": "` + strings.Repeat("x", wire.MaxRaw) + `"}`:                    "too_large",
	} {
		var out wire.Raw
		err := wire.DecodeRaw(&wire.RawRecord{Value: []byte(body), Arrival: arrival}, &out)
		var raw *wire.RawError
		require.ErrorAs(t, err, &raw, "%.60s", body)
		require.Equal(t, want, strings.TrimSpace(raw.Reason+" "+raw.Pointer), "%.60s", body)
	}
}

func TestMoneyIsExact(t *testing.T) {
	for text, want := range map[string]int64{
		`49.95`: 49_950_000, `"49.95"`: 49_950_000, `-3`: -3_000_000, `0.1234567`: 123_456, `12`: 12_000_000, `"9,50"`: 0,
		`999999999999.999999`: 999_999_999_999_999_999, `1e3`: 0, `""`: 0, `null`: 0, `true`: 0, `"."`: 0, `"-"`: 0,
	} {
		r := decode(t, `{"event": "x", "userId": "u", "properties": {"revenue": `+text+`}}`)
		require.Equal(t, want, r.Touchpoint.RevenueMicros, text)
	}
	require.EqualValues(t, 5_000_000, decode(t, `{"event": "Order Completed", "userId": "u", "properties": {"total": 5}}`).Touchpoint.RevenueMicros)
	require.Zero(t, decode(t, `{"event": "Cart Viewed", "userId": "u", "properties": {"total": 5}}`).Touchpoint.RevenueMicros)
}

func TestLongTextIsCutAtACharacter(t *testing.T) {
	r := decode(t, `{"event": "x", "userId": "`+strings.Repeat("é", 2000)+`"}`)
	require.Equal(t, strings.Repeat("é", 1024), r.Touchpoint.UserID)
}

func FuzzDecodeRaw(f *testing.F) {
	f.Add([]byte(`{"messageId":"m","type":"page","anonymousId":"a","timestamp":"2026-05-17T10:00:00Z","context":{"page":{"url":"https://a/b"}}}`))
	f.Add([]byte(`{"type":"track","event":"Order Completed","userId":1,"externalIds":[{"type":"email","id":"a@b"}],"properties":{"revenue":"1.5"}}`))
	f.Add([]byte(`{"type":"alias","userId":"u","previousId":"p","sentAt":1700000000000,"originalTimestamp":1700000000}`))
	f.Add([]byte(`{"type":"page","userId":"a","timestamp":1e400}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var a, b wire.Raw
		in := wire.RawRecord{Value: body, Arrival: arrival}
		err := wire.DecodeRaw(&in, &a)
		if err != nil {
			var raw *wire.RawError
			require.ErrorAs(t, err, &raw)
			return
		}
		require.NoError(t, wire.DecodeRaw(&in, &b))
		require.Equal(t, a, b)
		tp := a.Touchpoint
		require.NotEmpty(t, tp.Identifier)
		require.NotEmpty(t, tp.MessageID)
		require.NotEmpty(t, tp.Event)
		require.NotZero(t, tp.Time)
		require.LessOrEqual(t, tp.Time, tp.Received+5*60_000)
		require.Len(t, a.OtherKeys, len(tp.Others))
	})
}
