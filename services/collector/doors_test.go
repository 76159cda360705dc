package collector_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/wire"
)

// got is a raw touchpoint as the tests look at it.
type got struct {
	MessageID, Type, AnonymousID, UserID, PreviousID, GroupID, Event, Name, Source, Channel, SDKChannel, Actor string
	Timestamp, OriginalTimestamp, SentAt                                                                       time.Time
	Properties, Traits, Context                                                                                map[string]any
	ExternalIDs                                                                                                []struct{ Type, ID string }
	key, backfill                                                                                              string
}

// touchpoints are the accepted records by messageId, each read by the device
// step, too.
func (r *rig) touchpoints() map[string]got {
	r.t.Helper()
	out := map[string]got{}
	for _, rec := range r.accepted() {
		var read wire.Raw
		require.NoError(r.t, wire.DecodeRaw(&wire.RawRecord{Value: rec.Value, Arrival: rec.Timestamp.UnixMilli()}, &read), "%s", rec.Value)
		require.Equal(r.t, read.Key, string(rec.Key), "the device step would re-key %s", rec.Value)
		require.NotContains(r.t, string(rec.Value), shopKey)
		var g got
		require.NoError(r.t, json.Unmarshal(rec.Value, &g))
		g.key, g.backfill = string(rec.Key), header(rec, wire.HeaderBackfill)
		require.NotContains(r.t, out, g.MessageID)
		out[g.MessageID] = g
	}
	return out
}

// ask makes a request and returns the answer as it is.
func (r *rig) ask(method, path, body string, headers ...string) (status int, header http.Header, text string) {
	r.t.Helper()
	got, err := r.send(method, path, "", strings.NewReader(body), headers...)
	if err != nil { // the body is no JSON
		require.NotZero(r.t, got.status, "%v", err)
	}
	return got.status, got.header, got.body
}

func wireFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/wire/" + name)
	require.NoError(t, err)
	return strings.ReplaceAll(strings.ReplaceAll(string(text), "phc_key", shopKey), "rudder-key", shopKey)
}

// asShop is the header Authorization of the shop's key.
func asShop() string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(shopKey+":")) }

func TestSegmentsBrowserSDK(t *testing.T) {
	r := start(t, nil)
	headers := []string{"Content-Type", "text/plain", "Authorization", asShop(), "Origin", "https://shop.example", "User-Agent", "Mozilla/5.0 x"}
	for letter, call := range map[string]string{"t": "track", "p": "page", "s": "screen", "i": "identify", "g": "group", "a": "alias"} {
		status, h, text := r.ask("POST", "/v1/"+letter, `{"timestamp":"2026-11-23T07:00:00.000Z","integrations":{},"userId":null,"anonymousId":"an-1","event":"E","type":"`+call+
			`","properties":{},"context":{"page":{"url":"https://shop.example/"}},"messageId":"ajs-next-`+letter+`","writeKey":"`+shopKey+`","sentAt":"2026-11-23T07:00:01.000Z","_metadata":{"bundled":["Segment.io"]}}`, headers...)
		require.Equal(t, 200, status, text)
		require.Equal(t, "https://shop.example", h.Get("Access-Control-Allow-Origin"))
	}
	status, _, text := r.ask("POST", "/v1/b", `{"writeKey":"`+shopKey+`","batch":[{"type":"page","anonymousId":"an-1","messageId":"b-1"}],"sentAt":"2026-11-23T07:00:01.000Z"}`, headers...)
	require.Equal(t, 200, status, text)
	all := r.touchpoints()
	require.Len(t, all, 7)
	require.Equal(t, "alias", all["ajs-next-a"].Type)
	require.Equal(t, "page", all["ajs-next-p"].Type)
	require.Equal(t, "an-1", all["ajs-next-t"].key)
	require.False(t, all["b-1"].SentAt.IsZero())
	require.InDelta(t, 1, r.metric("cairn_collector_requests_total", "segment", "/v1/b", "200"), 0)
}

func TestSegmentsSettingsSendTheBrowserHere(t *testing.T) {
	r := start(t, nil)
	status, h, text := r.ask("GET", "/v1/projects/"+shopKey+"/settings", "", "Origin", "https://shop.example", "X-Forwarded-Proto", "https")
	require.Equal(t, 200, status)
	require.Equal(t, "https://shop.example", h.Get("Access-Control-Allow-Origin"))
	require.Contains(t, h.Values("Vary"), "X-Forwarded-Proto")
	var said struct {
		Integrations map[string]struct{ APIKey, APIHost, Protocol string }
		Plan         map[string]map[string]struct{ Enabled bool }
		Metrics      map[string]int
	}
	require.NoError(t, json.Unmarshal([]byte(text), &said))
	own := said.Integrations["Segment.io"]
	require.Equal(t, strings.TrimPrefix(r.url, "http://")+"/v1", own.APIHost)
	require.Equal(t, "https", own.Protocol)
	require.Equal(t, shopKey, own.APIKey)
	require.True(t, said.Plan["track"]["__default"].Enabled)
	require.Equal(t, map[string]int{"sampleRate": 0}, said.Metrics)
	status, _, _ = r.ask("HEAD", "/v1/projects/k/settings/", "")
	require.Equal(t, 200, status)
	status, h, _ = r.ask("POST", "/v1/projects/k/settings", "{}")
	require.Equal(t, 405, status)
	require.Equal(t, "GET, HEAD, OPTIONS", h.Get("Allow"))
}

func TestRudderStacksNodeSDK(t *testing.T) {
	r := start(t, nil)
	status, _, text := r.ask("POST", "/v1/batch", zipped(wireFile(t, "rudder-node.json")),
		"Content-Type", "application/x-www-form-urlencoded", "Content-Encoding", "gzip", "User-Agent", "analytics-node/3.0.13", "Authorization", asShop())
	require.Equal(t, 200, status, text)
	require.Equal(t, "OK", text)
	all := r.touchpoints()
	require.Len(t, all, 4)
	for _, g := range all {
		require.Empty(t, g.Channel, "server is a kind of SDK, not a channel")
		require.Equal(t, "server", g.SDKChannel)
		require.True(t, g.Timestamp.IsZero())
		require.False(t, g.OriginalTimestamp.IsZero())
	}
	require.Equal(t, "a-1", all["ce491fed-5100-4513-8804-b0dab88bc975"].key)
	require.Equal(t, "203.0.113.0", all["ce491fed-5100-4513-8804-b0dab88bc975"].Context["ip"])
	require.Equal(t, "u-1", all["a1d08f5d-5b41-49e9-8aeb-f23baf838635"].PreviousID)
}

func TestRudderStacksBrowserSDK(t *testing.T) {
	r := start(t, nil)
	who := base64.StdEncoding.EncodeToString([]byte(" visitor-ü "))
	status, _, text := r.ask("POST", "/v1/track", `{"event":"E","messageId":"m-1","channel":"mobile"}`, "Authorization", asShop(), "AnonymousId", who)
	require.Equal(t, 200, status, text)
	require.Equal(t, "OK", text)
	status, h, text := r.ask("POST", "/v1/batch", batch(`{"type":"page","anonymousId":"own","messageId":"m-2","channel":"web"}`, `{"type":"page","userId":"u","messageId":"m-3"}`, `{"type":"page","anonymousId":"undefined","messageId":"m-4"}`, `{}`),
		"Authorization", asShop(), "AnonymousId", who)
	require.Equal(t, 200, status, text)
	require.Equal(t, "bad_type", h.Get("Cairn-Rejected"))
	all := r.touchpoints()
	require.Len(t, all, 4)
	require.Equal(t, "visitor-ü", all["m-1"].AnonymousID)
	require.Equal(t, "app", all["m-1"].Channel)
	require.Equal(t, "own", all["m-2"].key)
	require.Equal(t, "web", all["m-2"].Channel)
	require.Empty(t, all["m-3"].AnonymousID, "a user is somebody")
	require.Equal(t, "visitor-ü", all["m-4"].AnonymousID)
	for _, bad := range []string{"%%%", base64.StdEncoding.EncodeToString([]byte("null")), base64.StdEncoding.EncodeToString([]byte{0xff}), ""} {
		status, _, text = r.ask("POST", "/v1/track", `{"event":"E"}`, "Authorization", asShop(), "AnonymousId", bad)
		require.Equal(t, 400, status, text)
	}
}

func TestRudderStacksBeaconPixelAndConfiguration(t *testing.T) {
	r := start(t, nil)
	status, _, text := r.ask("POST", "/beacon/v1/batch?writeKey="+shopKey, batch(`{"type":"page","anonymousId":"a","messageId":"beacon"}`), "Content-Type", "text/plain;charset=UTF-8")
	require.Equal(t, 200, status)
	require.Equal(t, "OK", text)
	status, _, _ = r.ask("POST", "/beacon/v1/batch?writeKey=nobody", batch(event))
	require.Equal(t, 401, status)

	q := url.Values{
		"writeKey": {shopKey}, "anonymousId": {"amp-1"}, "messageId": {"pixel"}, "context.page.url": {"https://shop.example/amp"},
		"properties.url": {"https://shop.example/amp"}, "properties.a.b": {"1"}, "properties.a": {"x"}, "name": {"Home"},
	}
	status, h, text := r.ask("GET", "/pixel/v1/page?"+q.Encode(), "", "User-Agent", "Mozilla/5.0 x")
	require.Equal(t, 200, status)
	require.Equal(t, "image/gif", h.Get("Content-Type"))
	require.True(t, strings.HasPrefix(text, "GIF89a"))
	for path, want := range map[string]int{"/pixel/v1/track?writeKey=" + shopKey + "&anonymousId=a": 400, "/pixel/v1/track?event=E&anonymousId=a": 401} {
		status, h, text = r.ask("GET", path, "")
		require.Equal(t, want, status)
		require.Equal(t, "image/gif", h.Get("Content-Type"))
		require.NotEmpty(t, h.Get("Cairn-Lost"))
		require.True(t, strings.HasPrefix(text, "GIF89a"))
	}
	all := r.touchpoints()
	require.Len(t, all, 2)
	pixel := all["pixel"]
	require.Equal(t, "amp-1", pixel.AnonymousID)
	require.Equal(t, "Home", pixel.Name)
	require.Equal(t, map[string]any{"url": "https://shop.example/amp"}, pixel.Context["page"])
	require.Equal(t, "127.0.0.0", pixel.Context["ip"])
	require.Equal(t, "https://shop.example/amp", pixel.Properties["url"])

	status, _, text = r.ask("GET", "/sourceConfig/?p=npm&v=3.34.1&build=modern&writeKey="+shopKey, "", "Authorization", asShop())
	require.Equal(t, 200, status)
	var said struct {
		Source struct {
			ID, Name, WriteKey string
			Enabled            bool
			Config             map[string]any
			Destinations       []any
		}
	}
	require.NoError(t, json.Unmarshal([]byte(text), &said))
	require.True(t, said.Source.Enabled)
	require.NotEmpty(t, said.Source.ID)
	require.NotNil(t, said.Source.Config)
	require.NotNil(t, said.Source.Destinations)
	require.Equal(t, shopKey, said.Source.WriteKey)
}

func TestEveryRouteAnswersAPreflight(t *testing.T) {
	r := start(t, nil)
	for _, path := range []string{"/v1/t", "/v1/b/", "/v1/projects/k/settings", "/beacon/v1/batch", "/pixel/v1/page", "/sourceConfig/", "/e/", "/batch", "/flags/?v=2", "/array/k/config.js"} {
		status, h, _ := r.ask("OPTIONS", path, "", "Origin", "https://shop.example", "Access-Control-Request-Headers", "x-anything")
		require.Equal(t, 204, status, path)
		require.Equal(t, "https://shop.example", h.Get("Access-Control-Allow-Origin"), path)
		require.Equal(t, "true", h.Get("Access-Control-Allow-Credentials"), path)
		require.Equal(t, "x-anything", h.Get("Access-Control-Allow-Headers"), path)
	}
	require.InDelta(t, 1, r.metric("cairn_collector_requests_total", "posthog", "/array/*/config.js", "204"), 0)
}
