package snowplow_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/services/collector/internal/door"
	"github.com/cairnhq/cairn/services/collector/internal/snowplow"
)

const (
	chrome  = "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0"
	network = "8b1f3f52-8a7e-4b6f-9c0e-0d6a1b2c3d4e"
)

func received() time.Time { return time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC) }

func limits() door.Limits { return door.Limits{EventBytes: 32 << 10, Events: 20, Depth: 8} }

// made is what the door makes of one event.
type made struct {
	key    string
	value  map[string]any
	raw    string
	reject *door.Reject
}

func (m *made) context() map[string]any {
	c, _ := m.value["context"].(map[string]any)
	return c
}

// run decodes a request whose reject it returns. Every touchpoint is checked to
// be one that the device step reads under the same key.
func run(tb testing.TB, in *door.Input) (out []made, rej *door.Reject) {
	tb.Helper()
	q := snowplow.Door(snowplow.Options{}).New()
	if rej = q.Decode(in, limits()); rej != nil {
		return nil, rej
	}
	meta := door.Meta{ReceivedAt: received(), Source: "shop", IP: "192.0.2.0", UserAgent: in.Header.Get("User-Agent")}
	var dst []byte
	for i := range q.Len() {
		var rec door.Record
		rec, dst = q.Append(i, &meta, dst)
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
	in := &door.Input{Method: http.MethodPost, Path: "/com.snowplowanalytics.snowplow/tp2", Body: []byte(body), Header: http.Header{}}
	for i := 0; i+1 < len(headers); i += 2 {
		in.Header.Set(headers[i], headers[i+1])
	}
	return in
}

func get(target string, headers ...string) *door.Input {
	u, err := url.Parse(target)
	if err != nil {
		panic(err)
	}
	in := input("", headers...)
	in.Method, in.Path, in.Query = http.MethodGet, u.Path, u.Query()
	return in
}

// one runs a payload of a single event.
func one(t *testing.T, event string, headers ...string) made {
	t.Helper()
	out, rej := run(t, input(`{"schema":"iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4","data":[`+event+`]}`, headers...))
	require.Nil(t, rej)
	require.Len(t, out, 1)
	return out[0]
}

func recorded(tb testing.TB, name string) string {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(tb, err)
	return string(text)
}

// What @snowplow/node-tracker 4.8.0 sent, by POST with base64.
func TestTheNodeTrackersEvents(t *testing.T) {
	out, rej := run(t, input(recorded(t, "node-4.8.0-post-base64.json"), "User-Agent", "node"))
	require.Nil(t, rej)
	require.Len(t, out, 9)
	for i := range out {
		require.Nil(t, out[i].reject)
		require.Equal(t, "d-0001", out[i].key)
		require.Equal(t, "ann-7", out[i].value["userId"])
		c := out[i].context()
		require.Equal(t, "203.0.113.0", c["ip"], "truncated")
		require.Equal(t, map[string]any{"id": "s-1", "index": 3.0}, c["session"])
		require.Equal(t, map[string]any{"name": "snowplow-node", "version": "4.8.0"}, c["library"])
		require.Equal(t, map[string]any{"name": "shop-app"}, c["app"])
		require.Equal(t, map[string]any{"width": 1920.0, "height": 1080.0, "innerWidth": 1200.0, "innerHeight": 700.0}, c["screen"])
		require.Equal(t, map[string]any{"p": "srv", "tna": "shop-tracker", "cd": "24"}, c["snowplow"])
		require.Equal(t, "Mozilla/5.0 (X11; Linux x86_64) Firefox/130", c["userAgent"], "the event's own")
		require.Equal(t, "de-DE", c["locale"])
		require.Equal(t, "Europe/Berlin", c["timezone"])
		require.NotContains(t, out[i].value, "channel", "a server tells of no channel")
	}
	events := make([]any, 0, len(out))
	for i := range out {
		events = append(events, out[i].value["event"])
	}
	require.Equal(t, []any{nil, "page_pinged", "Wish List Added", "quote_requested", "product_added", "order_completed", "order_completed", "order_item", "link_clicked"}, events)

	page := out[0]
	require.Equal(t, "page", page.value["type"])
	require.Equal(t, "Zelte grün", page.value["name"])
	require.Equal(t, "4d43a533-d62d-4243-b609-f074d7f737e6", page.value["messageId"])
	require.Equal(t, "2026-11-23T07:59:32.737Z", page.value["originalTimestamp"])
	require.Equal(t, "2026-11-23T07:59:32.743Z", page.value["sentAt"])
	require.NotContains(t, page.value, "timestamp", "the device's clock is not final")
	require.Equal(t, map[string]any{
		"url":   "https://shop.example/tents?utm_source=news&utm_medium=email&utm_campaign=spring&x=1",
		"title": "Zelte grün", "referrer": "https://www.example.org/",
	}, page.context()["page"])
	require.Equal(t, map[string]any{"source": "news", "medium": "email", "name": "spring"}, page.context()["campaign"])
	require.Equal(t, "8f1c2f0e-0000-4000-8000-000000000001", page.context()["pageViewId"])
	require.Len(t, page.context()["contexts"], 2)

	require.Equal(t, map[string]any{"max_x": 10.0, "min_y": 5.0, "max_y": 900.0}, out[1].value["properties"])
	require.Equal(t, map[string]any{"category": "shop", "action": "Wish List Added", "label": "tent", "property": "colour", "value": 49.9}, out[2].value["properties"])

	quote := out[3]
	require.Equal(t, "2026-11-23T09:00:00.123Z", quote.value["timestamp"], "the true timestamp is final")
	require.NotContains(t, quote.value, "originalTimestamp")
	require.Equal(t, map[string]any{"vendor": "com.acme", "name": "quote_requested", "format": "jsonschema", "version": "1-0-0"}, quote.context()["schema"])
	require.Equal(t, map[string]any{"amount": 5.0, "note": "größer", "nested": map[string]any{"a": []any{1.0, 2.0}}}, quote.value["properties"])

	cart := out[4].value["properties"].(map[string]any)
	require.Equal(t, "T-1", cart["product_id"])
	require.InDelta(t, 199.5, cart["price"], 0)
	order := out[5].value["properties"].(map[string]any)
	require.Equal(t, "o-9", order["order_id"])
	require.InDelta(t, 399.0, order["revenue"], 0)
	require.Equal(t, "EUR", order["currency"])
	require.Len(t, order["products"], 1)
	require.Equal(t, map[string]any{
		"order_id": "o-10", "affiliation": "web", "revenue": 120.5, "tax": 19.2, "shipping": 4.9,
		"city": "Berlin", "state": "BE", "country": "DE", "currency": "EUR",
	}, out[6].value["properties"])
	require.Equal(t, map[string]any{"order_id": "o-10", "sku": "S-1", "name": "Stove", "category": "cooking", "price": 60.25, "quantity": 2.0, "currency": "EUR"}, out[7].value["properties"])
	require.Equal(t, "https://shop.example/x", out[8].value["properties"].(map[string]any)["url"])
}

// The same events, plain and by GET, make the same touchpoints.
func TestPlainBase64AndGetSayTheSame(t *testing.T) {
	bare := func(out []made) (all []map[string]any) {
		for i := range out {
			require.Nil(t, out[i].reject)
			for _, name := range []string{"messageId", "originalTimestamp", "sentAt"} {
				delete(out[i].value, name)
			}
			all = append(all, out[i].value)
		}
		return all
	}
	coded, rej := run(t, input(recorded(t, "node-4.8.0-post-base64.json")))
	require.Nil(t, rej)
	plain, rej := run(t, input(recorded(t, "node-4.8.0-post-plain.json")))
	require.Nil(t, rej)
	var gets []made
	for target := range strings.Lines(recorded(t, "node-4.8.0-get.txt")) {
		out, rej := run(t, get(strings.TrimSpace(target)))
		require.Nil(t, rej)
		gets = append(gets, out...)
	}
	want := bare(coded)
	require.Equal(t, want, bare(plain))
	require.Equal(t, want, bare(gets))
}

func TestThePythonTrackersEvents(t *testing.T) {
	out, rej := run(t, input(recorded(t, "python-1.1.0-post.json"), "User-Agent", "python-requests/2.34.2"))
	require.Nil(t, rej)
	require.Len(t, out, 3)
	for i := range out {
		require.Nil(t, out[i].reject)
		require.Equal(t, "ann-7", out[i].key)
		require.NotContains(t, out[i].value, "anonymousId", "a script keeps no cookie")
	}
	require.Equal(t, "signed up", out[1].value["event"])
	require.Equal(t, "quote_requested", out[2].value["event"])
}

func TestIdentifiers(t *testing.T) {
	session := base64.RawURLEncoding.EncodeToString([]byte(`{"schema":"x","data":[{"schema":"iglu:com.snowplowanalytics.snowplow/client_session/jsonschema/1-0-2","data":{"userId":"install-1","sessionId":"cs-1","sessionIndex":2}}]}`))
	for name, c := range map[string]struct {
		event           string
		headers         []string
		anonymous, user any
	}{
		"the visitor id comes first":             {`"duid":"d1","uid":"u1"`, []string{"Cookie", "sp=" + network}, "d1", "u1"},
		"the cookie is next":                     {`"uid":"u1"`, []string{"Cookie", "sp=" + network}, network, "u1"},
		"a network id given counts as cookie":    {`"nuid":"n1"`, nil, "n1", nil},
		"blocked ids are none":                   {`"duid":"undefined","uid":"null","sid":"s1"`, nil, "s1", nil},
		"an app's install id":                    {`"cx":"` + session + `"`, nil, "install-1", nil},
		"the session's id where there is none":   {`"sid":"s1"`, nil, "s1", nil},
		"a user needs no session's id":           {`"sid":"s1","uid":"u1"`, nil, nil, "u1"},
		"a cookie of another form is none":       {`"sid":"s1"`, []string{"Cookie", "sp=1"}, "s1", nil},
		"anonymous: the cookie is not looked at": {`"sid":"s1"`, []string{"Cookie", "sp=" + network, "SP-Anonymous", "*", "User-Agent", chrome}, "s1", nil},
	} {
		t.Run(name, func(t *testing.T) {
			m := one(t, `{"e":"pv","eid":"m",`+c.event+`}`, c.headers...)
			require.Nil(t, m.reject)
			require.Equal(t, c.anonymous, m.value["anonymousId"])
			require.Equal(t, c.user, m.value["userId"])
		})
	}
	m := one(t, `{"e":"pv","eid":"m"}`, "User-Agent", "curl/8")
	require.Equal(t, door.CodeNoIdentifier, m.reject.Code)
	require.Equal(t, "/data/0", m.reject.Pointer)
	require.JSONEq(t, `{"e":"pv","eid":"m"}`, m.raw)
}

func TestTheNetworkCookie(t *testing.T) {
	d := snowplow.Door(snowplow.Options{})
	greeted := func(body string, headers ...string) ([]*http.Cookie, map[string]any) {
		in := input(body, headers...)
		q, meta, w := d.New(), door.Meta{ReceivedAt: received(), IP: "192.0.2.0", UserAgent: chrome}, httptest.NewRecorder()
		require.Nil(t, q.Decode(in, limits()))
		rec, _ := q.Append(0, &meta, nil)
		require.Nil(t, rec.Reject)
		d.Answer.Accepted(w, in, nil)
		var value map[string]any
		require.NoError(t, json.Unmarshal(rec.Value, &value))
		return (&http.Response{Header: w.Header()}).Cookies(), value
	}
	cookies, first := greeted(`{"data":[{"e":"pv"}]}`, "User-Agent", chrome)
	require.Len(t, cookies, 1)
	c := cookies[0]
	require.Equal(t, "sp", c.Name)
	require.Equal(t, first["anonymousId"], c.Value, "the first event has the id that later ones will bring")
	require.True(t, c.HttpOnly && c.Secure && c.SameSite == http.SameSiteNoneMode && c.Path == "/")
	require.Equal(t, 365*24*60*60, c.MaxAge)

	cookies, later := greeted(`{"data":[{"e":"pv"}]}`, "Cookie", "sp="+network)
	require.Equal(t, network, later["anonymousId"])
	require.Equal(t, network, later["context"].(map[string]any)["networkUserId"])
	require.Equal(t, network, cookies[0].Value, "prolonged")

	cookies, secret := greeted(`{"data":[{"e":"pv","sid":"s","ip":"198.51.100.7","nuid":"n"}]}`, "Cookie", "sp="+network, "SP-Anonymous", "*", "User-Agent", chrome)
	require.Empty(t, cookies, "none for an anonymous visitor")
	require.Equal(t, "s", secret["anonymousId"])
	require.NotContains(t, secret["context"], "networkUserId")
	require.NotContains(t, secret["context"], "ip", "neither the event's nor the connection's")
	require.Equal(t, chrome, secret["context"].(map[string]any)["userAgent"])
}

func TestAnswers(t *testing.T) {
	a := snowplow.Door(snowplow.Options{}).Answer
	w := httptest.NewRecorder()
	a.Accepted(w, input("{}"), nil)
	require.Equal(t, "ok", w.Body.String())
	require.Equal(t, "text/plain; charset=utf-8", w.Header().Get("Content-Type"))
	w = httptest.NewRecorder()
	a.Accepted(w, get("/i?e=pv"), nil)
	require.Equal(t, "image/gif", w.Header().Get("Content-Type"))
	require.Contains(t, w.Header().Get("Cache-Control"), "no-store")
	require.Len(t, w.Body.Bytes(), 43)
	for status, want := range map[int]int{400: 400, 401: 401, 413: 400, 429: 429, 503: 503, 408: 408} {
		w = httptest.NewRecorder()
		a.Refused(w, input("{}"), &door.Refusal{Status: status, Code: "c", Message: "m", Pointer: "/data"})
		require.Equal(t, want, w.Code)
		require.Equal(t, "c: /data: m", w.Body.String())
	}
}

func ue(schema, data string) string {
	doc, _ := json.Marshal(`{"schema":"iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0","data":{"schema":"` + schema + `","data":` + data + `}}`)
	return `{"e":"ue","eid":"m","duid":"d","ue_pr":` + string(doc) + `}`
}

func TestSelfDescribingEvents(t *testing.T) {
	const own = "iglu:com.snowplowanalytics.snowplow/"
	const shop = "iglu:com.snowplowanalytics.snowplow.ecommerce/snowplow_ecommerce_action/jsonschema/1-0-2"
	for _, c := range []struct{ schema, data, event, property string }{
		{own + "link_click/jsonschema/1-0-1", `{"targetUrl":"https://a.example"}`, "link_clicked", "url"},
		{own + "submit_form/jsonschema/1-0-0", `{"formId":"f"}`, "form_submitted", "form_id"},
		{own + "add_to_cart/jsonschema/1-0-0", `{"sku":"T"}`, "product_added", "product_id"},
		{own + "remove_from_cart/jsonschema/1-0-0", `{"unitPrice":1}`, "product_removed", "price"},
		{own + "ad_impression/jsonschema/1-0-0", `{"costModel":"cpm"}`, "ad_impression", "costModel"},
		{own + "ad_click/jsonschema/1-0-0", `{"targetUrl":"x"}`, "ad_click", "targetUrl"},
		{own + "site_search/jsonschema/1-0-0", `{"terms":["a"]}`, "products_searched", "terms"},
		{shop, `{"type":"product_view"}`, "product_viewed", "type"},
		{shop, `{"type":"add_to_cart"}`, "product_added", "type"},
		{shop, `{"type":"transaction"}`, "order_completed", "type"},
		{shop, `{"type":"checkout_step","step":1}`, "checkout_started", "step"},
		{shop, `{"type":"checkout_step","step":2}`, "checkout_step_viewed", "step"},
		{shop, `{"type":"somethingNew"}`, "something_new", "type"},
		{"iglu:com.acme/QuoteRequested/jsonschema/1-0-0", `{"a":1}`, "quote_requested", "a"},
		{"iglu:com.acme/link_click/jsonschema/1-0-0", `{"a":1}`, "link_click", "a"},
		{"iglu:com.acme/list/jsonschema/1-0-0", `[1,2]`, "list", "data"},
	} {
		m := one(t, ue(c.schema, c.data))
		require.Nil(t, m.reject, c.schema)
		require.Equal(t, c.event, m.value["event"], c.schema)
		require.Contains(t, m.value["properties"], c.property)
	}
	m := one(t, ue(own+"screen_view/jsonschema/1-0-0", `{"name":"Basket"}`))
	require.Equal(t, "screen", m.value["type"])
	require.Equal(t, "Basket", m.value["name"])
}

func TestEventsThatCannotBeTaken(t *testing.T) {
	coded := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	for name, c := range map[string]struct{ event, code, pointer string }{
		"no kind":               {`{"eid":"m","duid":"d"}`, door.CodeBadType, "/data/0/e"},
		"an unknown kind":       {`{"e":"zz","duid":"d"}`, door.CodeBadType, "/data/0/e"},
		"no object":             {`7`, door.CodeBadField, "/data/0"},
		"a device time in text": {`{"e":"pv","duid":"d","dtm":"today"}`, door.CodeBadTime, "/data/0/dtm"},
		"a true time in 2100":   {`{"e":"pv","duid":"d","ttm":"4102444800000"}`, door.CodeBadTime, "/data/0/ttm"},
		"a long id":             {`{"e":"pv","duid":"d","eid":"` + strings.Repeat("x", 101) + `"}`, door.CodeBadMessageID, "/data/0"},
		"no action":             {`{"e":"se","duid":"d","se_ca":"c"}`, door.CodeNoEvent, "/data/0"},
		"no document":           {`{"e":"ue","duid":"d"}`, door.CodeNoEvent, "/data/0/ue_pr"},
		"a document in pieces":  {`{"e":"ue","duid":"d","ue_pr":"{"}`, door.CodeBadJSON, "/data/0/ue_pr"},
		"two documents in one":  {`{"e":"ue","duid":"d","ue_pr":"{}{}"}`, door.CodeBadJSON, "/data/0/ue_pr"},
		"no base64":             {`{"e":"ue","duid":"d","ue_px":"%%"}`, door.CodeBadField, "/data/0/ue_px"},
		"base64 of no UTF-8":    {`{"e":"ue","duid":"d","ue_px":"` + coded("{\"a\":\"\xff\"}") + `"}`, door.CodeBadJSON, "/data/0/ue_px"},
		"no schema":             {`{"e":"ue","duid":"d","ue_pr":"{\"data\":{}}"}`, door.CodeNoEvent, "/data/0/ue_pr/data/schema"},
		"contexts in no list":   {`{"e":"pv","duid":"d","co":"{\"schema\":\"s\",\"data\":{}}"}`, door.CodeBadField, "/data/0/co"},
		"contexts too deep":     {`{"e":"pv","duid":"d","cx":"` + coded(`{"data":`+strings.Repeat("[", 8)+strings.Repeat("]", 8)+`}`) + `"}`, door.CodeTooDeep, "/data/0/cx"},
		"too deep":              {`{"e":"pv","duid":"d","x":` + strings.Repeat("[", 8) + strings.Repeat("]", 8) + `}`, door.CodeTooDeep, "/data/0"},
		"too large":             {`{"e":"pv","duid":"d","x":"` + strings.Repeat("x", 32<<10) + `"}`, door.CodeTooLarge, "/data/0"},
	} {
		t.Run(name, func(t *testing.T) {
			m := one(t, c.event)
			require.NotNil(t, m.reject)
			require.Equal(t, c.code, m.reject.Code, m.reject.String())
			require.Equal(t, c.pointer, m.reject.Pointer)
			require.Empty(t, m.key)
			require.Equal(t, c.event, m.raw, "as it came")
		})
	}
	out, rej := run(t, input(`{"data":[{"e":"zz"},{"e":"pv","duid":"d"}]}`))
	require.Nil(t, rej)
	require.NotNil(t, out[0].reject)
	require.Nil(t, out[1].reject, "a bad event does not spoil its neighbours")
}

func TestRequestsThatCannotBeTaken(t *testing.T) {
	for body, code := range map[string]string{
		``:                      door.CodeBadJSON,
		`[]`:                    door.CodeBadJSON,
		`{"data":[{"e":1]}`:     door.CodeBadJSON,
		`{"data":`:              door.CodeBadJSON,
		`{"data":[]} x`:         door.CodeBadJSON,
		`{"data":[],"data":[]}`: door.CodeBadJSON,
		`{}`:                    door.CodeNoBatch,
		`{"data":{}}`:           door.CodeBadField,
		`{"data":[` + strings.Repeat(`{},`, 20) + `{}]}`: door.CodeTooManyEvents,
	} {
		_, rej := run(t, input(body))
		require.NotNil(t, rej, body)
		require.Equal(t, code, rej.Code, body)
	}
}

// An id that is none would be one id for all events of a visitor: all but the
// first would pass for repetitions.
func TestAnEventIDThatNamesNothingIsNone(t *testing.T) {
	const event = `{"e":"pv","duid":"d","dtm":"1795424401000","eid":"undefined"}`
	out, rej := run(t, input(`{"data":[`+event+`,`+event+`]}`))
	require.Nil(t, rej)
	require.NotContains(t, out[0].raw+out[1].raw, "undefined")
	var ids [2]struct{ MessageID string }
	for i := range ids {
		require.NoError(t, json.Unmarshal([]byte(out[i].raw), &ids[i]))
		require.NotEmpty(t, ids[i].MessageID)
	}
	require.NotEqual(t, ids[0], ids[1])
}

// A batch sent again has another stm; an event without eid is the same one.
func TestAMintedIDStaysTheSame(t *testing.T) {
	first := one(t, `{"e":"pv","duid":"d","dtm":"1795420772737","stm":"1795420772743"}`)
	again := one(t, `{"stm":"1795420999999","e":"pv","dtm":"1795420772737","duid":"d"}`)
	other := one(t, `{"e":"pv","duid":"e","dtm":"1795420772737","stm":"1795420772743"}`)
	require.NotEmpty(t, first.value["messageId"])
	require.Equal(t, first.value["messageId"], again.value["messageId"])
	require.NotEqual(t, first.value["messageId"], other.value["messageId"])
}

func TestTheAppIDIsTheWriteKey(t *testing.T) {
	q := snowplow.Door(snowplow.Options{}).New()
	require.Nil(t, q.Decode(input(`{"data":[{"e":"pv"},{"e":"pv","aid":"shop-app"}]}`), limits()))
	require.Equal(t, "shop-app", string(q.WriteKey()))
	require.Nil(t, q.Decode(get("/i?e=pv"), limits()), "used again")
	require.Nil(t, q.WriteKey())
}

// Values that are no texts, and what GET leaves out of the stored event.
func TestLenientReading(t *testing.T) {
	m := one(t, `{"e":"pv","duid":42,"eid":"m","uid":null,"vid":7,"p":"mob","extra":{"a":1},"co":{"data":[{"schema":"s","data":{}}]}}`)
	require.Nil(t, m.reject)
	require.Equal(t, "42", m.key)
	require.Equal(t, "app", m.value["channel"])
	require.Equal(t, `{"a":1}`, m.context()["snowplow"].(map[string]any)["extra"])
	require.Len(t, m.context()["contexts"], 1)

	out, rej := run(t, get("/i?e=zz&writeKey=secret&duid=d%FF"))
	require.Nil(t, rej)
	require.NotContains(t, out[0].raw, "secret")
	require.Equal(t, "/e", out[0].reject.Pointer)
	out, _ = run(t, get("/i?e=pv&duid=d%FF"))
	require.Equal(t, "d\uFFFD", out[0].key)
}
