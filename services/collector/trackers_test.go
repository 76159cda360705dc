package collector_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/services/collector"
)

// exchanged is an answer without its body.
type exchanged struct {
	StatusCode int
	Header     http.Header
}

// exchange makes a request whose answer need not be JSON, and follows no redirect.
func (r *rig) exchange(method, path, body string, headers ...string) (exchanged, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, strings.NewReader(body))
	require.NoError(r.t, err)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	client := http.Client{
		Transport: r.client.Transport, Timeout: bound,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Do(req)
	require.NoError(r.t, err)
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	require.NoError(r.t, err)
	return exchanged{res.StatusCode, res.Header}, string(text)
}

// byID are the accepted touchpoints, by messageId.
func (r *rig) byID() map[string]map[string]any {
	r.t.Helper()
	out := map[string]map[string]any{}
	for _, rec := range r.accepted() {
		var value map[string]any
		require.NoError(r.t, json.Unmarshal(rec.Value, &value))
		id := value["messageId"].(string)
		require.NotContains(r.t, out, id)
		out[id] = value
	}
	return out
}

const (
	trackerPath = "/com.snowplowanalytics.snowplow/tp2"
	browser     = "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0"
)

func TestSnowplowRequestsReachKafka(t *testing.T) {
	r := start(t, func(o *collector.Options) { o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	body, err := os.ReadFile("internal/snowplow/testdata/node-4.8.0-post-base64.json")
	require.NoError(t, err)
	res, text := r.exchange(http.MethodPost, trackerPath+"?writeKey="+shopKey, string(body), "Origin", "https://shop.example", "Content-Type", "text/plain")
	require.Equal(t, 200, res.StatusCode, text)
	require.Equal(t, "ok", text)
	require.Equal(t, "https://shop.example", res.Header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "true", res.Header.Get("Access-Control-Allow-Credentials"))
	require.Len(t, res.Header.Values("Set-Cookie"), 1)
	require.Len(t, r.accepted(), 9)

	res, text = r.exchange(http.MethodPost, trackerPath+"/", `{"data":[{"e":"pv","eid":"by-aid","duid":"d","aid":"`+tillKey+`"},{"e":"zz"}]}`, "User-Agent", browser)
	require.Equal(t, 200, res.StatusCode, text)
	require.Equal(t, "till", r.byID()["by-aid"]["source"], "the app id is a write key")
	require.Len(t, r.rejected(), 1)
	require.Equal(t, "bad_type", header(r.rejected()[0], wire.HeaderReason))

	for path, want := range map[string]int{
		"/i?e=pv&eid=get&aid=" + shopKey: 200, "/i?e=pv&aid=other": 401, "/com.snowplowanalytics.snowplow/tp2?e=pv&eid=get2&writeKey=" + shopKey: 200,
	} {
		res, _ = r.exchange(http.MethodGet, path, "", "User-Agent", browser)
		require.Equal(t, want, res.StatusCode, path)
		require.Equal(t, want == 200, res.Header.Get("Content-Type") == "image/gif", path)
	}
	require.Contains(t, r.byID(), "get")
	require.Contains(t, r.byID(), "get2")
	require.Equal(t, "192.0.2.0", address(t, r, "with"), "a browser's address counts")
	require.Empty(t, address(t, r, "without", "SP-Anonymous", "*"))

	for name, c := range map[string]struct {
		body   string
		status int
	}{
		"no JSON":   {`{"data":`, 400},
		"no key":    {`{"data":[{"e":"pv","duid":"d"}]}`, 401},
		"no list":   {`{"batch":[]}`, 401},
		"too large": {`{"data":[{"aid":"` + shopKey + `","x":"` + strings.Repeat("x", 600<<10) + `"}]}`, 400},
	} {
		res, text = r.exchange(http.MethodPost, trackerPath, c.body)
		require.Equal(t, c.status, res.StatusCode, "%s: %s", name, text)
	}
	res, _ = r.exchange(http.MethodOptions, trackerPath, "", "Origin", "https://shop.example", "Access-Control-Request-Headers", "content-type, sp-anonymous")
	require.Equal(t, "content-type, sp-anonymous", res.Header.Get("Access-Control-Allow-Headers"))
}

// address is what the collector stores as the address of a browser's event.
func address(t *testing.T, r *rig, id string, headers ...string) string {
	t.Helper()
	res, text := r.exchange(http.MethodGet, "/i?e=pv&duid=d&eid="+id+"&aid="+shopKey, "", append(headers, "User-Agent", browser, "X-Forwarded-For", "192.0.2.77")...)
	require.Equal(t, 200, res.StatusCode, text)
	c, _ := r.byID()[id]["context"].(map[string]any)
	ip, _ := c["ip"].(string)
	return ip
}

func TestSnowplowSettings(t *testing.T) {
	r := start(t, func(o *collector.Options) {
		o.SnowplowSource, o.SnowplowPaths = "web", []string{"/com.acme/track"}
	})
	res, text := r.exchange(http.MethodPost, "/com.acme/track", `{"data":[{"e":"pv","eid":"1","duid":"d","aid":"no-key"}]}`)
	require.Equal(t, 200, res.StatusCode, text)
	require.Equal(t, "web", r.byID()["1"]["source"])
	res, _ = r.exchange(http.MethodPost, "/com.acme/track?writeKey=wrong", `{"data":[{"e":"pv","eid":"2","duid":"d"}]}`)
	require.Equal(t, 401, res.StatusCode, "a wrong key is none of no key")
}

func TestCloudEventsReachKafka(t *testing.T) {
	r := start(t, nil)
	binary := []string{"Ce-Specversion", "1.0", "Ce-Id", "b", "Ce-Source", "s", "Ce-Type", "order.completed", "Ce-Userid", "u", "Content-Type", "application/json"}
	for _, path := range []string{"/cloudevents", "/cloudevents/", "/"} {
		res, text := r.exchange(http.MethodPost, path+"?writeKey="+shopKey, `{"revenue":5}`, binary...)
		require.Equal(t, 200, res.StatusCode, "%s: %s", path, text)
	}
	require.Len(t, r.accepted(), 3)
	batch := `[{"specversion":"1.0","id":"1","source":"s","type":"x","userid":"u"},{"specversion":"1.0","id":"2","source":"s","type":"x"}]`
	res, text := r.exchange(http.MethodPost, "/cloudevents?writeKey="+shopKey, batch, "Content-Type", "application/cloudevents-batch+json")
	require.Equal(t, 200, res.StatusCode)
	require.Contains(t, text, `"/1"`)
	res, text = r.exchange(http.MethodPost, "/cloudevents?writeKey="+shopKey, `{"specversion":"1.0","id":"3","source":"s","type":"x"}`)
	require.Equal(t, 400, res.StatusCode, text)
	require.Contains(t, text, "no_identifier")
	require.Len(t, r.rejected(), 2, "also the one that was answered 400")
	res, _ = r.exchange(http.MethodPost, "/cloudevents", batch)
	require.Equal(t, 401, res.StatusCode)
	res, _ = r.exchange(http.MethodOptions, "/cloudevents", "", "WebHook-Request-Origin", "sender.example", "WebHook-Request-Rate", "120")
	require.Equal(t, "sender.example", res.Header.Get("WebHook-Allowed-Origin"))
	require.Equal(t, "*", res.Header.Get("WebHook-Allowed-Rate"))
	require.Less(t, res.StatusCode, 300)
	res, _ = r.exchange(http.MethodGet, "/", "")
	require.Equal(t, 405, res.StatusCode)
}

func allowShop(o *collector.Options) { o.AllowedRedirects = []string{"shop.example"} }

func TestMailsAndLinksReachKafka(t *testing.T) {
	r := start(t, allowShop)
	res, _ := r.exchange(http.MethodGet, "/pixel.gif?userId=u&messageId=open&writeKey="+shopKey, "")
	require.Equal(t, 200, res.StatusCode)
	require.Equal(t, "image/gif", res.Header.Get("Content-Type"))
	res, _ = r.exchange(http.MethodGet, "/r?userId=u&messageId=click&writeKey="+shopKey+"&u=https://shop.example/a", "")
	require.Equal(t, 302, res.StatusCode)
	require.Equal(t, "https://shop.example/a", res.Header.Get("Location"))
	require.Equal(t, "email_opened", r.byID()["open"]["event"])
	require.Equal(t, "link_clicked", r.byID()["click"]["event"])

	res, text := r.exchange(http.MethodGet, "/r?userId=u&writeKey="+shopKey+"&u=https://evil.example/", "")
	require.Equal(t, 400, res.StatusCode)
	require.Contains(t, text, "This link leads nowhere")
	res, _ = r.exchange(http.MethodGet, "/r?userId=u&writeKey=wrong&u=https://shop.example/a", "")
	require.Equal(t, 302, res.StatusCode, "a customer is not made to suffer from a wrong key")
	require.InDelta(t, 1, r.metric("cairn_collector_lost_links_total", "unauthorized"), 0)
	res, _ = r.exchange(http.MethodGet, "/pixel.gif?userId=u", "")
	require.Equal(t, 401, res.StatusCode)
	require.Equal(t, "image/gif", res.Header.Get("Content-Type"))
	res, _ = r.exchange(http.MethodPost, "/r", "")
	require.Equal(t, 405, res.StatusCode)
	require.Len(t, r.accepted(), 2)
}

// A customer who has clicked does not wait for a Kafka that does not answer.
func TestLinksWorkWithoutKafka(t *testing.T) {
	r := start(t, allowShop)
	swallowProduce(r.kafka)
	begin := time.Now()
	res, _ := r.exchange(http.MethodGet, "/r?userId=u&writeKey="+shopKey+"&u=https://shop.example/a", "")
	require.Equal(t, 302, res.StatusCode)
	require.Less(t, time.Since(begin), 5*time.Second)
	require.InDelta(t, 1, r.metric("cairn_collector_lost_links_total", "delivery_unknown"), 0)

	away := startOn(t, []string{"127.0.0.1:1"}, allowShop)
	res, _ = away.exchange(http.MethodGet, "/r?userId=u&writeKey="+shopKey+"&u=https://shop.example/a", "")
	require.Equal(t, 302, res.StatusCode)
	require.Equal(t, "https://shop.example/a", res.Header.Get("Location"))
	require.InDelta(t, 1, away.metric("cairn_collector_lost_links_total", "kafka_unavailable"), 0)
	res, _ = away.exchange(http.MethodGet, "/r?writeKey="+shopKey+"&u=//evil.example", "")
	require.Equal(t, 400, res.StatusCode)
}

func TestAWrongListOfRedirectsStopsTheStart(t *testing.T) {
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = ln.Close() }()
	_, err = collector.New(t.Context(), collector.Options{
		Namespace: namespace, Listener: ln, WriteKeys: []collector.WriteKey{{Key: shopKey, Source: "shop"}}, AllowedRedirects: []string{"https://shop.example/"},
	})
	require.ErrorContains(t, err, "allowed redirect")
}
