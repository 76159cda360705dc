package cloudevent_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/services/collector/internal/cloudevent"
	"github.com/cairnhq/cairn/services/collector/internal/door"
)

func received() time.Time { return time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC) }

func limits() door.Limits { return door.Limits{EventBytes: 4096, Events: 20, Depth: 8} }

// made is what the door makes of one event.
type made struct {
	key    string
	value  map[string]any
	raw    string
	reject *door.Reject
}

// run decodes a request whose reject it returns. Every touchpoint is checked to
// be one that the device step reads under the same key.
func run(tb testing.TB, in *door.Input) (out []made, rej *door.Reject) {
	tb.Helper()
	q := cloudevent.Door().New()
	if rej = q.Decode(in, limits()); rej != nil {
		return nil, rej
	}
	require.Nil(tb, q.WriteKey())
	var dst []byte
	for i := range q.Len() {
		var rec door.Record
		rec, dst = q.Append(i, &door.Meta{ReceivedAt: received(), Source: "till"}, dst)
		m := made{key: string(rec.Key), raw: string(rec.Value), reject: rec.Reject}
		if rec.Reject == nil {
			require.NoError(tb, json.Unmarshal(rec.Value, &m.value))
			var read wire.Raw
			require.NoError(tb, wire.DecodeRaw(&wire.RawRecord{Value: rec.Value, Arrival: received().UnixMilli()}, &read), m.raw)
			require.Equal(tb, read.Key, m.key, "the device step would re-key it: %s", m.raw)
		}
		out = append(out, m)
	}
	return out, nil
}

func input(body string, headers ...string) *door.Input {
	in := &door.Input{Method: http.MethodPost, Path: "/cloudevents", Body: []byte(body), Header: http.Header{}}
	for i := 0; i+1 < len(headers); i += 2 {
		in.Header.Set(headers[i], headers[i+1])
	}
	return in
}

// recorded is a request of the Go SDK 2.16.2, as it came over the wire.
func recorded(tb testing.TB, name string) *door.Input {
	tb.Helper()
	f, err := os.Open(filepath.Join("testdata", "go-sdk-2.16.2-"+name+".http"))
	require.NoError(tb, err)
	defer func() { _ = f.Close() }()
	r, err := http.ReadRequest(bufio.NewReader(f))
	require.NoError(tb, err)
	body, err := io.ReadAll(r.Body)
	require.NoError(tb, err)
	return &door.Input{Method: r.Method, Path: r.URL.Path, Header: r.Header, Body: body}
}

// one runs a request of a single event.
func one(t *testing.T, in *door.Input) made {
	t.Helper()
	out, rej := run(t, in)
	require.Nil(t, rej)
	require.Len(t, out, 1)
	return out[0]
}

// event is one in structured mode with further members.
func event(members string) string {
	return `{"specversion":"1.0","id":"1","source":"/till","type":"com.example.order.completed"` + members + `}`
}

func TestTheGoSDKsEvents(t *testing.T) {
	want := map[string]any{
		"type": "track", "event": "order_completed", "source": "till", "userId": "42",
		"messageId": "https://till.example/7|A-4711 ü", "receivedAt": "2026-11-23T08:00:00.000Z", "timestamp": "2026-11-23T07:00:00.123456789Z",
		"externalIds": []any{map[string]any{"type": "email", "id": "Ada@Example.com"}, map[string]any{"type": "loyalty", "id": "L-1"}},
		"properties":  map[string]any{"revenue": 49.9, "email": "Ada@Example.com"},
		"context": map[string]any{"cloudevent": map[string]any{
			"specversion": "1.0", "id": "A-4711 ü", "source": "https://till.example/7", "type": "com.example.order.completed", "subject": "user:42",
			"datacontenttype": "application/json", "time": "2026-11-23T07:00:00.123456789Z", "loyaltyid": "L-1", "note": `grün "x" 100%`, "partitionkey": "42",
		}},
	}
	for _, name := range []string{"binary-json", "structured-json"} {
		m := one(t, recorded(t, name))
		require.Nil(t, m.reject, name)
		require.Equal(t, "42", m.key)
		require.Equal(t, want, m.value, name)
	}
	batch, rej := run(t, recorded(t, "batch"))
	require.Nil(t, rej)
	require.Len(t, batch, 2)
	require.Equal(t, want, batch[0].value)
	for _, m := range []made{batch[1], one(t, recorded(t, "structured-text")), one(t, recorded(t, "binary-text"))} {
		require.Equal(t, map[string]any{"data": "call back"}, m.value["properties"])
		require.Equal(t, "https://till.example/7|t", m.value["messageId"])
	}
}

func TestNamesOfEvents(t *testing.T) {
	for typ, want := range map[string]string{
		"com.example.order.completed":      "order_completed",
		"com.example.shop.order.completed": "order_completed",
		"com.example.order_completed":      "order_completed",
		"com.example.OrderCompleted.v2":    "order_completed",
		"com.example.signup":               "signup",
		"order.completed":                  "order_completed",
		"order.completed.v1":               "order_completed",
		"de.shop.ticket.opened":            "ticket_opened",
		"signup":                           "signup",
		"Order Completed":                  "order_completed",
		"com.github.pull_request.opened":   "pull_request_opened",
		"http://example.org/ticket/opened": "ticket_opened",
		"cairn.transition":                 "cairn_transition",
	} {
		m := one(t, input(`{"specversion":"1.0","id":"1","source":"s","userid":"u","type":"`+typ+`"}`))
		require.Nil(t, m.reject, typ)
		require.Equal(t, want, m.value["event"], typ)
	}
	m := one(t, input(event(`,"userid":"u","event":"till_sale"`)))
	require.Equal(t, "till_sale", m.value["event"], "the extension decides")
}

func TestIdentifiers(t *testing.T) {
	for name, c := range map[string]struct {
		members         string
		anonymous, user any
		external        string
	}{
		"attributes":                       {`"userid":"u","anonymousid":"a","phone":"+49"`, "a", "u", "phone:+49"},
		"data":                             {`"data":{"userId":7,"anonymous_id":"a","email":"e@x","loyaltyId":"L"}`, "a", "7", "email:e@x loyalty:L"},
		"attributes before data":           {`"userid":"u","data":{"userId":"other"}`, nil, "u", ""},
		"blocked ones are none":            {`"userid":"null","data":{"customer_id":"c"}`, nil, "c", ""},
		"a subject with its kind":          {`"subject":"email:e@x"`, nil, nil, "email:e@x"},
		"a subject of another kind":        {`"subject":"order:17","partitionkey":"42"`, nil, "42", ""},
		"a partition key is the user":      {`"partitionkey":"42"`, nil, "42", ""},
		"unless there is someone":          {`"partitionkey":"42","anonymousid":"a"`, "a", nil, ""},
		"a partition key with its kind":    {`"partitionkey":"loyalty:L","anonymousid":"a"`, "a", nil, "loyalty:L"},
		"a subject alone is no identifier": {`"subject":"42","userid":"u"`, nil, "u", ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := one(t, input(event(","+c.members)))
			require.Nil(t, m.reject)
			require.Equal(t, c.anonymous, m.value["anonymousId"])
			require.Equal(t, c.user, m.value["userId"])
			var external []string
			list, _ := m.value["externalIds"].([]any)
			for _, x := range list {
				external = append(external, x.(map[string]any)["type"].(string)+":"+x.(map[string]any)["id"].(string))
			}
			require.Equal(t, c.external, strings.Join(external, " "))
		})
	}
}

// Two events are the same only if source and id are.
func TestMessageIDs(t *testing.T) {
	id := func(source, id string) string {
		text, err := json.Marshal(map[string]string{"specversion": "1.0", "id": id, "source": source, "type": "x", "userid": "u"})
		require.NoError(t, err)
		return one(t, input(string(text))).value["messageId"].(string)
	}
	seen := map[string]bool{}
	long := strings.Repeat("x", 200)
	for _, pair := range [][2]string{{"a", "b|c"}, {"a|b", "c"}, {"a", "bc"}, {"ab", "c"}, {long, "a"}, {long + "a", ""}, {long, "b"}, {"|", long}, {"||", long[1:]}} {
		if pair[1] == "" {
			pair[1] = "-"
		}
		got := id(pair[0], pair[1])
		require.LessOrEqual(t, len(got), door.MaxMessageID)
		require.False(t, seen[got], "%v has another's id %s", pair, got)
		seen[got] = true
		require.Equal(t, got, id(pair[0], pair[1]))
	}
}

func TestData(t *testing.T) {
	binary := func(body, contentType string) made {
		return one(t, input(body, "Ce-Specversion", "1.0", "Ce-Id", "1", "Ce-Source", "s", "Ce-Type", "t", "Ce-Userid", "u", "Content-Type", contentType))
	}
	require.Equal(t, map[string]any{"a": 1.0}, binary(`{"a":1}`, "application/json; charset=utf-8").value["properties"])
	require.Equal(t, map[string]any{"a": 1.0}, binary(`{"a":1}`, "application/vnd.acme+json").value["properties"])
	require.Equal(t, map[string]any{"data": []any{1.0}}, binary(`[1]`, "").value["properties"])
	require.Equal(t, map[string]any{"data": "a=1"}, binary(`a=1`, "text/csv").value["properties"])
	require.Equal(t, map[string]any{"data_base64": "/wA="}, binary("\xff\x00", "application/octet-stream").value["properties"])
	require.NotContains(t, binary("", "application/json").value, "properties")
	require.NotContains(t, binary("null", "application/json").value, "properties")
	for body, code := range map[string]string{`{"a":`: door.CodeBadJSON, `{} {}`: door.CodeBadJSON, "{\"a\":\"\xff\"}": door.CodeBadJSON, strings.Repeat("[", 9) + strings.Repeat("]", 9): door.CodeTooDeep} {
		m := binary(body, "application/json")
		require.NotNil(t, m.reject, body)
		require.Equal(t, code, m.reject.Code)
		require.Equal(t, "/data", m.reject.Pointer)
		require.True(t, json.Valid([]byte(m.raw)), m.raw)
	}
	m := one(t, input(event(`,"userid":"u","data_base64":"eyJhIjoxfQ=="`)))
	require.Equal(t, map[string]any{"a": 1.0}, m.value["properties"])
	m = one(t, input(event(`,"userid":"u","datacontenttype":"image/png","data_base64":"/wA="`)))
	require.Equal(t, map[string]any{"data_base64": "/wA="}, m.value["properties"])
	m = one(t, input("", "Ce-Specversion", "1.0", "Ce-Id", "%E2%82%AC%201%zz", "Ce-Source", `"a \"b\""`, "Ce-Type", "t", "Ce-Userid", "u\xff"))
	require.Equal(t, "a \"b\"|€ 1%zz", m.value["messageId"])
	require.Equal(t, "u\uFFFD", m.key)
}

func TestChannelAndActor(t *testing.T) {
	m := one(t, input(event(`,"userid":"u","channel":"call","actor":"Business"`)))
	require.Equal(t, "call", m.value["channel"])
	require.Equal(t, "business", m.value["actor"])
}

func TestEventsThatCannotBeTaken(t *testing.T) {
	for name, c := range map[string]struct{ event, code, pointer string }{
		"no id":            {`{"specversion":"1.0","source":"s","type":"t","userid":"u"}`, door.CodeBadMessageID, "/id"},
		"no source":        {`{"specversion":"1.0","id":"1","type":"t","userid":"u"}`, door.CodeBadField, "/source"},
		"no type":          {`{"specversion":"1.0","id":"1","source":"s","userid":"u"}`, door.CodeNoEvent, ""},
		"no version":       {`{"id":"1","source":"s","type":"t","userid":"u"}`, door.CodeBadField, "/specversion"},
		"an old version":   {`{"specversion":"0.3","id":"1","source":"s","type":"t","userid":"u"}`, door.CodeBadField, "/specversion"},
		"nobody":           {event(``), door.CodeNoIdentifier, ""},
		"a time in words":  {event(`,"userid":"u","time":"today"`), door.CodeBadTime, "/time"},
		"a time in 2100":   {event(`,"userid":"u","time":"2100-01-01T00:00:00Z"`), door.CodeBadTime, "/time"},
		"another actor":    {event(`,"userid":"u","actor":"robot"`), door.CodeBadActor, "/actor"},
		"a nested member":  {event(`,"userid":{"a":1}`), door.CodeBadField, "/userid"},
		"no base64":        {event(`,"userid":"u","data_base64":"%"`), door.CodeBadField, "/data_base64"},
		"too deep":         {event(`,"userid":"u","data":` + strings.Repeat("[", 8) + strings.Repeat("]", 8)), door.CodeTooDeep, ""},
		"too large":        {event(`,"userid":"u","data":"` + strings.Repeat("x", 4096) + `"`), door.CodeTooLarge, ""},
		"not even objects": {`7`, door.CodeBadField, ""},
	} {
		t.Run(name, func(t *testing.T) {
			out, rej := run(t, input(`[`+event(`,"userid":"u"`)+`,`+c.event+`]`))
			require.Nil(t, rej)
			require.Len(t, out, 2)
			require.Nil(t, out[0].reject, "a bad event does not spoil its neighbours")
			require.NotNil(t, out[1].reject)
			require.Equal(t, c.code, out[1].reject.Code)
			require.Equal(t, "/1"+c.pointer, out[1].reject.Pointer)
			require.Equal(t, c.event, out[1].raw, "as it came")
			require.Empty(t, out[1].key)
		})
	}
	m := one(t, input(`{"a":1}`, "Ce-Specversion", "1.0", "Ce-Id", "1", "Ce-Source", "s", "Ce-Type", "t"))
	require.Equal(t, door.CodeNoIdentifier, m.reject.Code)
	require.JSONEq(t, `{"specversion":"1.0","id":"1","source":"s","type":"t","data":{"a":1}}`, m.raw, "kept in structured mode")
	m = one(t, input(strings.Repeat("x", 4097), "Ce-Specversion", "1.0", "Content-Type", "text/plain"))
	require.Equal(t, door.CodeTooLarge, m.reject.Code)
}

func TestRequestsThatCannotBeTaken(t *testing.T) {
	for body, code := range map[string]string{
		``: door.CodeBadJSON, `hello`: door.CodeBadJSON, `{"id":`: door.CodeBadJSON, `{} x`: door.CodeBadJSON, `[{},]`: door.CodeBadJSON,
		`[` + strings.Repeat(`{},`, 20) + `{}]`: door.CodeTooManyEvents,
	} {
		_, rej := run(t, input(body))
		require.NotNil(t, rej, body)
		require.Equal(t, code, rej.Code, body)
	}
	out, rej := run(t, input(`[]`))
	require.Nil(t, rej)
	require.Empty(t, out)
}

func TestAnswers(t *testing.T) {
	d := cloudevent.Door()
	answer := func(in *door.Input, rejects ...*door.Reject) *httptest.ResponseRecorder {
		require.Nil(t, d.New().Decode(in, limits()))
		w := httptest.NewRecorder()
		d.Answer.Accepted(w, in, rejects)
		return w
	}
	bad := &door.Reject{Code: door.CodeNoIdentifier, Message: "m", Pointer: "/x"}
	require.Equal(t, 200, answer(input(event(""))).Code)
	require.Equal(t, 200, answer(input(`[`+event("")+`]`), bad).Code, "the others are taken")
	w := answer(input(event("")), bad)
	require.Equal(t, 400, w.Code)
	require.Contains(t, w.Body.String(), `"error":{"code":"no_identifier","message":"m","pointer":"/x"}`)
	require.Equal(t, 413, answer(input(event("")), &door.Reject{Code: door.CodeTooLarge}).Code)
	require.Equal(t, 400, answer(input("", "Ce-Id", "1"), bad).Code)
}

func TestTheWebhookHandshake(t *testing.T) {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodOptions, "/cloudevents", nil)
	h := http.Header{}
	cloudevent.Door().Preflight(h, r)
	require.Empty(t, h, "a browser's preflight is none")
	r.Header.Set("WebHook-Request-Origin", "eventgrid.example")
	cloudevent.Door().Preflight(h, r)
	require.Equal(t, "eventgrid.example", h.Get("WebHook-Allowed-Origin"))
	require.Equal(t, "*", h.Get("WebHook-Allowed-Rate"))
}
