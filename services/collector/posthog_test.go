package collector_test

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/services/collector"
)

func TestPostHogsNodeSDK(t *testing.T) {
	r := start(t, nil)
	status, _, text := r.ask("POST", "/batch/", zipped(wireFile(t, "posthog-node.json")),
		"Content-Type", "application/json", "Content-Encoding", "gzip", "User-Agent", "posthog-node/5.70.0")
	require.Equal(t, 200, status, text)
	require.JSONEq(t, `{"status":"Ok"}`, text)
	all := r.touchpoints()
	require.Len(t, all, 5)
	order := all["0190a7c8-1111-7000-8000-000000000001"]
	require.Equal(t, "track", order.Type)
	require.Equal(t, "order completed", order.Event)
	require.Equal(t, "u-1", order.UserID)
	require.Empty(t, order.AnonymousID)
	require.True(t, order.Timestamp.IsZero(), "the device's clock is not final")
	require.Equal(t, time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC), order.OriginalTimestamp)
	require.Equal(t, 2026, order.SentAt.Year())
	require.Equal(t, "0190a7c8-0000-7000-8000-000000000001", order.Context["sessionId"])
	require.Equal(t, "0190a7c8-0000-7000-8000-000000000001", order.Properties["$session_id"])
	require.InDelta(t, 5, order.Properties["revenue"], 0)
	require.Equal(t, "shop", order.Source)

	identify := all["01a20777-c38d-7bb0-a05e-34a69ca7171a"]
	require.Equal(t, "identify", identify.Type)
	require.Equal(t, map[string]any{"email": "a@example.com", "first": 1.0}, identify.Traits)
	alias := all["01a20777-c38d-7bb0-a05e-34a7ac363c21"]
	require.Equal(t, [3]string{"alias", "u-1", "anon-1"}, [3]string{alias.Type, alias.UserID, alias.PreviousID})
	group := all["01a20777-c38d-7bb0-a05e-34a839379ab7"]
	require.Equal(t, [3]string{"group", "u-1", "g-1"}, [3]string{group.Type, group.UserID, group.GroupID})
	require.Equal(t, map[string]any{"name": "ACME"}, group.Traits)
	page := all["01a20777-c38d-7bb0-a05e-34a930fbfbbf"]
	require.Equal(t, [3]string{"page", "", "anon-9"}, [3]string{page.Type, page.UserID, page.AnonymousID}, "without a person's profile it is a visitor")
	require.Equal(t, map[string]any{"url": "https://shop.example/a"}, page.Context["page"])
}

// The Python SDK's alias(previous_id, distinct_id) sends them the other way round
// than the others do.
func TestPostHogsPythonSDK(t *testing.T) {
	r := start(t, nil)
	status, _, text := r.ask("POST", "/batch/", wireFile(t, "posthog-python.json"), "Content-Type", "application/json", "User-Agent", "posthog-python/7.91.1")
	require.Equal(t, 200, status, text)
	all := r.touchpoints()
	require.Len(t, all, 2)
	alias := all["6c404e86-105c-476e-885c-5bde3dfe4b63"]
	require.Equal(t, [4]string{"alias", "u-1", "anon-1", "anon-1"}, [4]string{alias.Type, alias.UserID, alias.PreviousID, alias.AnonymousID})
	set := all["c9042860-083e-4c46-8993-a258f5b54639"]
	require.Equal(t, [3]string{"identify", "u-1", ""}, [3]string{set.Type, set.UserID, set.AnonymousID})
	require.Equal(t, time.Date(2026, 11, 23, 8, 56, 37, 0, time.UTC), set.OriginalTimestamp.UTC())
}

// jsEvent is an event as posthog-js sends it.
func jsEvent(uuid, name, more string) string {
	return `{"uuid":"` + uuid + `","event":"` + name + `","properties":{"token":"` + shopKey + `","$lib":"web","$lib_version":"1.300.0","$current_url":"https://shop.example/a?utm_source=x",` +
		`"$referrer":"$direct","$raw_user_agent":"Mozilla/5.0 real","$browser_language":"de-DE","$session_id":"s-1","$ip":"203.0.113.77","utm_source":"old",` + more + `},"timestamp":"2026-11-23T07:00:00.000Z"}`
}

func TestPostHogsDistinctIDIsAVisitorOrAUser(t *testing.T) {
	r := start(t, nil)
	const visitor = `"distinct_id":"dev-1","$device_id":"dev-1","$is_identified":false`
	events := []string{
		jsEvent("pageview", "$pageview", visitor+`,"title":"Tents"`),
		jsEvent("after-reset", "E", `"distinct_id":"dev-2","$device_id":"dev-1","$is_identified":false`),
		jsEvent("identify", "$identify", `"distinct_id":"u-1","$anon_distinct_id":"dev-1","$device_id":"dev-1","$user_id":"u-1","$is_identified":true,"$set":{"plan":"pro"},"$set_once":{"plan":"free","first":"x"}`),
		jsEvent("user", "E", `"distinct_id":"u-1","$device_id":"dev-1","$user_id":"u-1","$is_identified":true`),
		jsEvent("alias", "$create_alias", visitor+`,"alias":"u-2"`),
		jsEvent("rage", "$rageclick", visitor),
		jsEvent("old-visitor", "E", `"distinct_id":"dev-1","$device_id":"dev-1"`),
		jsEvent("old-user", "E", `"distinct_id":"u-1","$device_id":"dev-1"`),
		jsEvent("groups", "$groupidentify", `"distinct_id":"$company_g-1","$group_type":"company","$group_key":"g-1","$group_set":{"a":1}`),
		jsEvent("screen", "$screen", visitor+`,"$screen_name":"Cart"`),
		jsEvent("set", "$set", visitor+`,"$set":{"a":1}`),
		jsEvent("nobody", "E", `"distinct_id":"undefined"`),
	}
	status, _, text := r.ask("POST", "/e/?compression=gzip-js&ip=0&_=1795424401123&ver=1.300.0", zipped(`[`+strings.Join(events, ",")+`]`), "Content-Type", "text/plain", "User-Agent", "Mozilla/5.0 other", "Origin", "https://shop.example")
	require.Equal(t, 200, status, text)
	require.Contains(t, text, `/11: `)
	all := r.touchpoints()
	require.Len(t, all, len(events)-1)
	rejected := r.rejected()
	require.Len(t, rejected, 1)
	require.NotContains(t, string(rejected[0].Value), shopKey)
	for id, want := range map[string][4]string{
		"pageview": {"page", "dev-1", "", "Tents"}, "after-reset": {"track", "dev-2", "", ""}, "identify": {"identify", "dev-1", "u-1", ""},
		"user": {"track", "dev-1", "u-1", ""}, "alias": {"identify", "dev-1", "u-2", ""}, "rage": {"track", "dev-1", "", ""},
		"old-visitor": {"track", "dev-1", "", ""}, "old-user": {"track", "dev-1", "u-1", ""}, "groups": {"group", "", "", ""},
		"screen": {"screen", "dev-1", "", "Cart"}, "set": {"identify", "dev-1", "", ""},
	} {
		require.Equal(t, want, [4]string{all[id].Type, all[id].AnonymousID, all[id].UserID, all[id].Name}, id)
	}
	require.Equal(t, map[string]any{"plan": "pro", "first": "x"}, all["identify"].Traits)
	require.Equal(t, "rage_click", all["rage"].Event)
	require.Equal(t, "$rageclick", all["rage"].Properties["$event"])
	require.Equal(t, "business", all["groups"].Actor)
	page := all["pageview"]
	require.Equal(t, map[string]any{"url": "https://shop.example/a?utm_source=x", "title": "Tents"}, page.Context["page"])
	require.Equal(t, "Mozilla/5.0 real", page.Context["userAgent"])
	require.Equal(t, "203.0.113.0", page.Context["ip"])
	require.Equal(t, "de-DE", page.Context["locale"])
	require.NotContains(t, page.Context, "campaign", "the address has the campaign; the properties have an earlier one")
	require.NotContains(t, page.Properties, "$ip")
	require.NotContains(t, page.Properties, "token")
	require.Equal(t, int64(1795424401123), page.SentAt.UnixMilli())
}

func TestPostHogsWaysOfPacking(t *testing.T) {
	r := start(t, nil)
	one := jsEvent("ID", "E", `"distinct_id":"dev-1","$is_identified":false`)
	of := func(id string) string { return strings.Replace(one, "ID", id, 1) }
	b64 := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	for id, c := range map[string]struct{ method, path, body string }{
		"batch":         {"POST", "/batch", `{"historical_migration":false,"sent_at":"2026-11-23T07:00:01+00:00","batch":[` + of("batch") + `],"api_key":"` + shopKey + `"}`},
		"single":        {"POST", "/capture/", of("single")},
		"i-v0":          {"POST", "/i/v0/e/", of("i-v0")},
		"form":          {"POST", "/e/?compression=base64", url.Values{"data": {b64(of("form"))}}.Encode()},
		"form-unescape": {"POST", "/e/", "data=" + strings.TrimRight(b64(of("form-unescape")+"   "), "=")},
		"form-json":     {"POST", "/track/", url.Values{"data": {of("form-json")}, "compression": {""}}.Encode()},
		"get":           {"GET", "/e/?data=" + url.QueryEscape(b64(of("get"))), ""},
		"get-gzip":      {"GET", "/e?compression=gzip-js&data=" + url.QueryEscape(b64(zipped(of("get-gzip")))), ""},
		"base64":        {"POST", "/e/", b64(of("base64"))},
		"key-in-query":  {"POST", "/e/?api_key=" + shopKey, strings.Replace(of("key-in-query"), `"token":"`+shopKey+`",`, "", 1)},
		"key-in-form":   {"POST", "/e/", url.Values{"api_key": {shopKey}, "data": {b64(strings.Replace(of("key-in-form"), `"token":"`+shopKey+`",`, "", 1))}}.Encode()},
		"distinct":      {"POST", "/capture", `{"api_key":"` + shopKey + `","event":"E","distinct_id":77,"uuid":"distinct","timestamp":null,"offset":60000}`},
		"engage":        {"POST", "/engage/", `{"$token":"` + shopKey + `","$distinct_id":"u-1","uuid":"engage","$set":{"plan":"pro"}}`},
	} {
		status, _, text := r.ask(c.method, c.path, c.body)
		require.Equal(t, 200, status, "%s: %s", id, text)
		require.JSONEq(t, `{"status":"Ok"}`, text, id)
	}
	all := r.touchpoints()
	require.Len(t, all, 13)
	require.Equal(t, "77", all["distinct"].UserID)
	require.WithinDuration(t, time.Now().Add(-time.Minute), all["distinct"].Timestamp, 10*time.Second)
	require.Equal(t, "identify", all["engage"].Type)
	require.Equal(t, map[string]any{"plan": "pro"}, all["engage"].Traits)
}

func TestPostHogsAnswers(t *testing.T) {
	r := start(t, func(o *collector.Options) { o.MaxEvents = 3 })
	good := jsEvent("m", "E", `"distinct_id":"u"`)
	key := `"api_key":"` + shopKey + `",`
	for name, c := range map[string]struct {
		path, body string
		status     int
		want       string
	}{
		"a beacon":         {"/e/?beacon=1", good, 204, ""},
		"an empty batch":   {"/batch", `{` + key + `"batch":[]}`, 400, `"code":"no_batch"`},
		"nothing":          {"/e/?token=" + shopKey, ``, 400, `"code":"no_batch"`},
		"no JSON":          {"/e/", `{"api_key":`, 400, `"type":"validation_error"`},
		"no base64":        {"/e/", `data=%%%`, 400, `"code":"bad_encoding"`},
		"neither":          {"/e/", `hello, world!`, 400, `"code":"bad_json"`},
		"lz64":             {"/e/?compression=lz64", `data=N4Ig`, 400, `lz64 is not supported`},
		"a bomb in base64": {"/e/", base64.StdEncoding.EncodeToString([]byte(zipped(strings.Repeat(" ", 50<<20)))), 401, `authentication_error`},
		"a bomb with key":  {"/e/?token=" + shopKey, base64.StdEncoding.EncodeToString([]byte(zipped(strings.Repeat(" ", 50<<20)))), 413, `"code":"too_large"`},
		"too many":         {"/batch", `{` + key + `"batch":[` + strings.Repeat(good+",", 3) + good + `]}`, 413, `"code":"too_many_events"`},
		"no key":           {"/batch", `{"batch":[{"event":"E","distinct_id":"u"}]}`, 401, `"type":"authentication_error"`},
		"an unknown key":   {"/batch", `{"api_key":"phc_x","batch":[{"event":"E","distinct_id":"u"}]}`, 401, `authentication_error`},
		"bad events":       {"/batch", `{` + key + `"batch":[7,{"distinct_id":"u"},{"event":"E"}]}`, 200, `"rejected":3`},
		"bad fields":       {"/batch", `{` + key + `"batch":[{"event":{},"distinct_id":"u"},{"event":"E","distinct_id":"u","properties":[]},{"event":"E","distinct_id":"u","timestamp":"soon"}]}`, 200, `bad_time: /batch/2/timestamp`},
	} {
		status, h, text := r.ask("POST", c.path, c.body, "Origin", "https://shop.example")
		require.Equal(t, c.status, status, "%s: %s", name, text)
		require.Contains(t, text, c.want, name)
		require.Equal(t, "https://shop.example", h.Get("Access-Control-Allow-Origin"))
	}
	require.InDelta(t, 1, r.metric("cairn_collector_requests_total", "posthog", "/e", "204"), 0)
}

func TestPostHogsHistoryIsABackfill(t *testing.T) {
	r := start(t, nil)
	status, _, text := r.ask("POST", "/batch/", `{"api_key":"`+shopKey+`","historical_migration":true,"batch":[{"event":"E","distinct_id":"u","uuid":"old","timestamp":"2020-01-01T00:00:00Z"}]}`)
	require.Equal(t, 200, status, text)
	require.Equal(t, "1", r.touchpoints()["old"].backfill)
}

func TestPostHogHasNoFlags(t *testing.T) {
	r := start(t, nil)
	for path, want := range map[string]string{
		"/flags/?v=2":          `"flags":{}`,
		"/decide/?v=3":         `"featureFlags":{}`,
		"/array/phc/config":    `"hasFeatureFlags":false`,
		"/array/p<c/config.js": `["p\u003cc"]={"config":{`,
	} {
		method := "GET"
		if path[1] == 'f' || path[1] == 'd' {
			method = "POST"
		}
		status, _, text := r.ask(method, path, "")
		require.Equal(t, 200, status, path)
		require.Contains(t, text, want)
	}
	_, h, _ := r.ask("GET", "/array/phc/config.js", "")
	require.Equal(t, "application/javascript; charset=utf-8", h.Get("Content-Type"))
}
