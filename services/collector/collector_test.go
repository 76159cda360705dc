package collector_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/services/collector"
)

const event = `{"type":"track","event":"Viewed","anonymousId":"a1","messageId":"m1"}`

func batch(events ...string) string { return `{"batch":[` + strings.Join(events, ",") + `]}` }

func zipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return b.String()
}

func TestEveryAnswer(t *testing.T) {
	r := start(t, func(o *collector.Options) { o.MaxEvents = 30 })
	big := strings.Repeat("x", 600<<10)
	for name, c := range map[string]struct {
		method, path, key, body string
		headers                 []string
		status                  int
		code, pointer           string
	}{
		"a batch":                      {path: "/v1/batch", key: shopKey, body: batch(event), status: 200},
		"with a slash":                 {path: "/v1/batch/", key: shopKey, body: batch(event), status: 200},
		"an empty batch":               {path: "/v1/batch", key: shopKey, body: batch(), status: 200},
		"a key in the body":            {path: "/v1/batch", body: `{"writeKey":"` + tillKey + `",` + batch(event)[1:], status: 200},
		"a key in a single call":       {path: "/v1/track", body: `{"writeKey":"` + tillKey + `",` + event[1:], status: 200},
		"text/plain":                   {path: "/v1/page", key: shopKey, body: event, headers: []string{"Content-Type", "text/plain"}, status: 200},
		"gzip, declared":               {path: "/v1/batch", key: shopKey, body: zipped(batch(event)), headers: []string{"Content-Encoding", "gzip"}, status: 200},
		"gzip, as a form":              {path: "/v1/batch", key: shopKey, body: zipped(batch(event)), headers: []string{"Content-Type", "application/x-www-form-urlencoded"}, status: 200},
		"gzip declared, plain sent":    {path: "/v1/batch", key: shopKey, body: batch(event), headers: []string{"Content-Encoding", "gzip"}, status: 200},
		"a batch of bad events":        {path: "/v1/batch", key: shopKey, body: batch(`{}`), status: 200},
		"no JSON":                      {path: "/v1/batch", key: shopKey, body: `{"batch":[{"a":]}`, status: 400, code: "bad_json", pointer: "/batch/0/a"},
		"no JSON and no key":           {path: "/v1/batch", body: `hello`, status: 400, code: "bad_json"},
		"no batch":                     {path: "/v1/batch", key: shopKey, body: event, status: 400, code: "no_batch", pointer: "/batch"},
		"broken gzip":                  {path: "/v1/batch", key: shopKey, body: zipped(batch(event))[:40], status: 400, code: "bad_encoding"},
		"brotli":                       {path: "/v1/batch", key: shopKey, body: "x", headers: []string{"Content-Encoding", "br"}, status: 400, code: "bad_encoding"},
		"a single call without id":     {path: "/v1/track", key: shopKey, body: `{"event":"E"}`, status: 400, code: "no_identifier"},
		"a single call with a bad id":  {path: "/v1/track", key: shopKey, body: `{"event":"E","userId":[]}`, status: 400, code: "bad_field", pointer: "/userId"},
		"no key":                       {path: "/v1/batch", body: batch(event), status: 401, code: "unauthorized"},
		"an unknown key":               {path: "/v1/batch", key: "nobody", body: batch(event), status: 401, code: "unauthorized"},
		"an unknown key in the body":   {path: "/v1/batch", body: `{"writeKey":"nobody",` + batch(event)[1:], status: 401, code: "unauthorized"},
		"a key that is no string":      {path: "/v1/batch", body: `{"writeKey":7,` + batch(event)[1:], status: 401, code: "unauthorized"},
		"another scheme":               {path: "/v1/batch", body: batch(event), headers: []string{"Authorization", "Bearer " + shopKey}, status: 401, code: "unauthorized"},
		"unreadable Basic":             {path: "/v1/batch", body: batch(event), headers: []string{"Authorization", "Basic ???"}, status: 401, code: "unauthorized"},
		"an unknown path":              {path: "/v2/batch", key: shopKey, body: batch(event), status: 404, code: "not_found"},
		"GET":                          {method: "GET", path: "/v1/batch", key: shopKey, status: 405, code: "method_not_allowed"},
		"a body over the limit":        {path: "/v1/batch", key: shopKey, body: batch(`{"a":"` + big + `"}`), status: 413, code: "too_large"},
		"a single event over 32 KB":    {path: "/v1/track", key: shopKey, body: `{"event":"E","userId":"u","p":"` + big[:33<<10] + `"}`, status: 413, code: "too_large"},
		"too many events":              {path: "/v1/batch", key: shopKey, body: batch(strings.Split(strings.Repeat(event+"\n", 31), "\n")[:31]...), status: 413, code: "too_many_events", pointer: "/batch"},
		"a bomb":                       {path: "/v1/batch", key: shopKey, body: zipped(strings.Repeat(" ", 100<<20)), status: 413, code: "too_large"},
		"a context that swells events": {path: "/v1/batch", key: shopKey, body: `{"context":{"a":"` + big[:25<<10] + `"},` + strings.Repeat(" ", 300<<10) + batch(strings.Split(strings.Repeat(event+"\n", 30), "\n")[:30]...)[1:], status: 200},
	} {
		t.Run(name, func(t *testing.T) {
			method := c.method
			if method == "" {
				method = http.MethodPost
			}
			got, err := r.send(method, c.path, c.key, strings.NewReader(c.body), c.headers...)
			require.NoError(t, err)
			require.Equal(t, c.status, got.status, got.body)
			require.Equal(t, c.status == 200, got.said.Success)
			if c.status == 200 {
				require.Nil(t, got.said.Error)
				return
			}
			require.NotNil(t, got.said.Error, got.body)
			require.Equal(t, c.code, got.said.Error.Code)
			require.Equal(t, c.pointer, got.said.Error.Pointer)
			require.NotEmpty(t, got.said.Error.Message)
			require.NotContains(t, got.body, shopKey)
		})
	}
	require.Equal(t, `{"success":true}`, r.post("/v1/batch", shopKey, batch(event)).body)
	require.InDelta(t, 6, r.metric("cairn_collector_requests_total", "/v1/batch", "401"), 0)
	require.InDelta(t, 1, r.metric("cairn_collector_requests_total", "other", "404"), 0)
	require.NoError(t, r.stop())
}

func TestABatchContextMayNotTakeAllMemory(t *testing.T) {
	r := start(t, nil)
	body := `{"context":{"a":"` + strings.Repeat("x", 30<<10) + `"},` + batch(strings.Split(strings.Repeat(event+"\n", 2000), "\n")[:2000]...)[1:]
	got := r.post("/v1/batch", shopKey, body)
	require.Equal(t, 413, got.status, got.body)
	require.Equal(t, "/context", got.said.Error.Pointer)
	require.Empty(t, r.accepted())
}

func TestRecordsAreWhatWasSent(t *testing.T) {
	r := start(t, nil)
	before := time.Now().Truncate(time.Millisecond)
	got := r.post("/v1/batch", tillKey, batch(
		`{"type":"track","event":"A","anonymousId":"a1","userId":"u1","messageId":"m1"}`,
		`{"type":"track","event":"B","userId":77,"messageId":"m2"}`,
		`{"type":"identify","externalIds":[{"type":"loyalty","id":"L-9"}],"messageId":"m3"}`,
	), collector.BackfillHeader, "1")
	require.Equal(t, 200, got.status, got.body)
	recs := r.accepted()
	require.Len(t, recs, 3)
	values := map[string]string{}
	partitioner := kgo.StickyKeyPartitioner(nil).ForTopic("t")
	for _, rec := range recs {
		values[string(rec.Key)] = string(rec.Value)
		require.Equal(t, int32(partitioner.Partition(&kgo.Record{Key: rec.Key}, 6)), rec.Partition)
		require.Equal(t, "1", header(rec, wire.HeaderBackfill))
		require.WithinRange(t, rec.Timestamp, before, time.Now())
		require.Contains(t, string(rec.Value), `"source":"till"`)
		require.Contains(t, string(rec.Value), `"receivedAt":"`+rec.Timestamp.UTC().Format("2006-01-02T15:04:05.000Z")+`"`)
	}
	require.Contains(t, values["a1"], `"userId":"u1"`)
	require.Contains(t, values["77"], `"userId":"77"`)
	require.Contains(t, values["L-9"], `"type":"identify"`)
	require.Empty(t, r.rejected())
	require.InDelta(t, 3, r.metric("cairn_collector_events_total", "till", "accepted"), 0)
	require.InDelta(t, 1, r.metric("cairn_collector_produce_seconds"), 0)
}

func TestBadEventsDoNotFailTheirNeighbours(t *testing.T) {
	r := start(t, nil)
	huge := `{"type":"track","event":"E","userId":"u","messageId":"h","p":"` + strings.Repeat("x", 40<<10) + `"}`
	bad := []string{`{"type":"track" , "event":"E"}`, huge, `"text"`, `{"type":"track","event":"E","userId":"u","messageId":{}}`}
	got := r.post("/v1/batch", shopKey, batch(event, bad[0], bad[1], event, bad[2], bad[3]))
	require.Equal(t, 200, got.status, got.body)
	require.True(t, got.said.Success)
	require.Len(t, got.said.Errors, 4)
	require.Equal(t, "/batch/5/messageId", got.said.Errors[3].Pointer)
	require.Len(t, r.accepted(), 2)

	recs := r.rejected()
	require.Len(t, recs, 4)
	reasons := map[string]string{}
	for _, rec := range recs {
		reasons[header(rec, wire.HeaderReason)+" "+header(rec, wire.HeaderError)] = string(rec.Value)
		require.Equal(t, "shop", header(rec, wire.HeaderSource))
		require.Nil(t, rec.Key)
		ms, err := strconv.ParseInt(header(rec, wire.HeaderReceivedAt), 10, 64)
		require.NoError(t, err)
		require.Equal(t, rec.Timestamp.UnixMilli(), ms)
	}
	require.Equal(t, map[string]string{
		"no_identifier /batch/1: The event has no usable anonymousId, userId or externalIds.":    bad[0],
		fmt.Sprintf("too_large /batch/2: The event has %d bytes and may have 32768.", len(huge)): huge,
		"bad_field /batch/4: An event must be an object.":                                        bad[2],
		"bad_field /batch/5/messageId: messageId must be a string or a number.":                  bad[3],
	}, reasons)
	require.InDelta(t, 4, r.metric("cairn_collector_events_total", "shop", "rejected"), 0)
	require.InDelta(t, 2, r.metric("cairn_collector_events_total", "shop", "accepted"), 0)
	require.InDelta(t, 2, r.metric("cairn_collector_rejected_events_total", "shop", "bad_field"), 0)
}

// TestABadEventThatKafkaCannotHoldDoesNotFailItsNeighbours: as much of it is kept
// as fits.
func TestABadEventThatKafkaCannotHoldDoesNotFailItsNeighbours(t *testing.T) {
	r := start(t, func(o *collector.Options) { o.MaxBatchBytes = 2 << 20 })
	huge := `{"type":"page","userId":"u","messageId":"h","p":"` + strings.Repeat("x", 1<<20) + `"}`
	got := r.post("/v1/batch", shopKey, batch(event, huge, event))
	require.Equal(t, 200, got.status, got.body)
	require.Len(t, r.accepted(), 2)
	rejected := r.rejected()
	require.Len(t, rejected, 1)
	require.Equal(t, "too_large", header(rejected[0], wire.HeaderReason))
	require.True(t, strings.HasPrefix(huge, string(rejected[0].Value)))
	require.Greater(t, len(rejected[0].Value), 800<<10)
}

// TestNoAddressIsStoredWhole: not of rejected events either, at any door.
func TestNoAddressIsStoredWhole(t *testing.T) {
	r := start(t, nil)
	const ip = `"203.0.113.77"`
	r.post("/v1/batch", shopKey, batch(`{"type":"track","context":{"ip":`+ip+`}}`, `{"type":"page","userId":"u","context":{"ip":`+ip+`}}`))
	r.post("/v1/track", shopKey, `{"type":"track","userId":"u","context":{"ip":`+ip+`}}`)
	for _, event := range []string{`"event":"E","distinct_id":"d"`, `"event":"E"`} {
		r.ask(http.MethodPost, "/capture", `{"api_key":"`+shopKey+`",`+event+`,"ip":`+ip+`,"$ip":`+ip+`,"properties":{"$ip":`+ip+`}}`)
	}
	r.ask(http.MethodPost, "/com.snowplowanalytics.snowplow/tp2?writeKey="+shopKey, `{"data":[{"e":"pv","ip":`+ip+`},{"e":"pv","duid":"d","ip":`+ip+`},{"e":"xx","co":"{\"ip\":\"203.0.113.77\"}"}]}`)
	r.upload("", `{"type":"track","context":{"ip":`+ip+`}}`+"\n"+`{"type":"page","userId":"u","context":{"ip":`+ip+`}}`)
	require.Len(t, r.accepted(), 4)
	require.Len(t, r.rejected(), 6)
	for _, rec := range r.records() {
		require.NotContains(t, string(rec.Value), "203.0.113.77")
		require.Contains(t, string(rec.Value), "203.0.113.0")
	}
}

// TestEncodingsAreTakenInAnyCase: RFC 9110 says so.
func TestEncodingsAreTakenInAnyCase(t *testing.T) {
	r := start(t, nil)
	require.Equal(t, 200, r.post("/v1/track", shopKey, event, "Content-Encoding", "Identity").status)
	require.Equal(t, 200, r.post("/v1/track", shopKey, zipped(event), "Content-Encoding", "GZIP").status)
	require.Equal(t, 200, r.upload("", zipped(event), "Content-Encoding", "GZip").status)
}

// TestAnImageAsksForNoPassword: a browser or a mail program would ask the person.
func TestAnImageAsksForNoPassword(t *testing.T) {
	r := start(t, nil)
	for _, path := range []string{"/pixel.gif?writeKey=wrong", "/i?e=pv&writeKey=wrong", "/pixel/v1/track?writeKey=wrong", "/e?data=e30=&api_key=wrong"} {
		status, h, _ := r.ask(http.MethodGet, path, "")
		require.Equal(t, 401, status, path)
		require.Empty(t, h.Get("WWW-Authenticate"), path)
	}
	require.NotEmpty(t, r.post("/v1/track", "wrong", event).header.Get("WWW-Authenticate"), "servers' libraries look at it")
}

func TestPropertiesAreBounded(t *testing.T) {
	r := start(t, func(o *collector.Options) { o.MaxProperties = 40 })
	with := func(n int) string {
		fields := make([]string, n)
		for i := range fields {
			fields[i] = fmt.Sprintf(`"p%d":{"a":%d}`, i, i)
		}
		return `{"event":"E","userId":"u","messageId":"m","properties":{` + strings.Join(fields, ",") + `}}`
	}
	require.Equal(t, 200, r.post("/v1/track", shopKey, with(15)).status)
	got := r.post("/v1/track", shopKey, with(20))
	require.Equal(t, 400, got.status)
	require.Equal(t, "too_many_properties", got.said.Error.Code)
	require.Equal(t, 200, r.post("/v1/batch", shopKey, batch(with(20), with(1))).status)
	require.Len(t, r.accepted(), 2)
	require.Len(t, r.rejected(), 2, "kept whole")
	require.Nil(t, r.rejected()[0].Key)
}

func TestABadSingleCallIsToldAndKept(t *testing.T) {
	r := start(t, nil)
	body := `{"event":"E","writeKey":"` + shopKey + `","timestamp":"2026-11-23T10:00:00Z"}`
	got := r.post("/v1/track", "", body)
	require.Equal(t, 400, got.status)
	recs := r.rejected()
	require.Len(t, recs, 1)
	require.Equal(t, `{"event":"E","writeKey":"[removed]","timestamp":"2026-11-23T10:00:00Z"}`, string(recs[0].Value)) //nolint:testifylint // the bytes count: the text is passed on as it came
}

func TestBrowsers(t *testing.T) {
	r := start(t, func(o *collector.Options) { o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	got, err := r.send(http.MethodOptions, "/v2/t", "", nil, "Origin", "https://shop.example")
	require.NoError(t, err)
	require.Equal(t, 404, got.status)
	got, err = r.send(http.MethodOptions, "/v1/track/", "", nil, "Origin", "https://shop.example",
		"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,x-retry-count")
	require.NoError(t, err)
	require.Equal(t, 204, got.status)
	require.Equal(t, "https://shop.example", got.header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "true", got.header.Get("Access-Control-Allow-Credentials"))
	require.Equal(t, "authorization,x-retry-count", got.header.Get("Access-Control-Allow-Headers"))
	require.Contains(t, got.header.Get("Access-Control-Allow-Methods"), "POST")

	const agent = "Mozilla/5.0 (X11; Linux x86_64)"
	got = r.post("/v1/track", shopKey, event, "Origin", "https://shop.example", "User-Agent", agent,
		"X-Forwarded-For", "1.1.1.1, 203.0.113.99, 127.0.0.9")
	require.Equal(t, 200, got.status)
	require.Equal(t, "https://shop.example", got.header.Get("Access-Control-Allow-Origin"))
	got = r.post("/v1/track", "nobody", event, "Origin", "https://shop.example")
	require.Equal(t, 401, got.status)
	require.Empty(t, got.header.Get("WWW-Authenticate"), "a browser would ask for a password")
	require.NotEmpty(t, r.post("/v1/track", "nobody", event).header.Get("WWW-Authenticate"))

	r.post("/v1/track", shopKey, event, "X-Forwarded-For", "203.0.113.99") // a server: its address is nobody's
	recs := r.accepted()
	require.Len(t, recs, 2)
	require.Contains(t, string(recs[0].Value), `"context":{"ip":"203.0.113.0","userAgent":"`+agent+`"}`)
	require.NotContains(t, string(recs[1].Value), `"ip"`)
}

func TestAForwardedAddressNeedsATrustedProxy(t *testing.T) {
	r := start(t, nil)
	r.post("/v1/track", shopKey, event, "User-Agent", "Mozilla/5.0", "X-Forwarded-For", "203.0.113.99")
	require.Contains(t, string(r.accepted()[0].Value), `"ip":"127.0.0.0"`)
}

func TestAKeyHasItsRate(t *testing.T) {
	r := start(t, func(o *collector.Options) { o.EventsPerSecond, o.MaxEvents = 0.5, 10 })
	ten := strings.Split(strings.Repeat(event+"\n", 10), "\n")[:10]
	require.Equal(t, 200, r.post("/v1/batch", shopKey, batch(ten[:8]...)).status)
	got := r.post("/v1/batch", shopKey, batch(ten...))
	require.Equal(t, 429, got.status, got.body)
	require.Equal(t, "rate_limited", got.said.Error.Code)
	seconds, err := strconv.Atoi(got.header.Get("Retry-After"))
	require.NoError(t, err)
	require.InDelta(t, 16, seconds, 3, "eight events at one in two seconds")
	reset, err := strconv.ParseInt(got.header.Get("X-RateLimit-Reset"), 10, 64)
	require.NoError(t, err)
	require.Greater(t, reset, time.Now().Unix())
	require.Equal(t, 200, r.post("/v1/batch", shopKey, batch(ten[:2]...)).status, "what is refused is not spent")
	got = r.post("/v1/batch", shopKey, `not even read`)
	require.Equal(t, 429, got.status, got.body)
	require.Equal(t, 200, r.post("/v1/batch", tillKey, batch(ten...)).status, "another key has its own")
	require.InDelta(t, 10, r.metric("cairn_collector_events_total", "shop", "refused"), 0)
}
