package collector_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/services/collector"
)

// keysFile is a file of keys that a test changes.
type keysFile struct {
	t    *testing.T
	path string
}

func newKeysFile(t *testing.T, text string) *keysFile {
	t.Helper()
	f := &keysFile{t, filepath.Join(t.TempDir(), "keys.yaml")}
	f.write(text)
	return f
}

func (f *keysFile) write(text string) {
	f.t.Helper()
	require.NoError(f.t, os.WriteFile(f.path, []byte("sources:\n"+text), 0o600))
}

func (f *keysFile) use(o *collector.Options) {
	o.KeysFile, o.KeysPoll, o.Secret = f.path, 10*time.Millisecond, []byte("namespace secret")
}

func TestKeysRotateWithoutARestart(t *testing.T) {
	entry := func(keys ...string) string {
		for i, k := range keys {
			keys[i] = `"` + collector.HashKey(k) + `"`
		}
		return "  - {source: web, keys: [" + strings.Join(keys, ", ") + "]}\n"
	}
	f := newKeysFile(t, entry("old"))
	r := start(t, f.use)
	status := func(key string) int { return r.post("/v1/track", key, event).status }
	becomes := func(key string, want int) {
		t.Helper()
		require.Eventually(t, func() bool { return status(key) == want }, bound, 5*time.Millisecond)
	}
	require.Equal(t, 200, status("old"))
	require.Equal(t, 401, status("new"))
	require.Equal(t, 200, status(shopKey), "the options' keys stay")
	require.Equal(t, 401, status(collector.HashKey("old")), "a hash is no key")
	f.write(entry("old", "new"))
	becomes("new", 200)
	require.Equal(t, 200, status("old"))
	f.write(entry("new"))
	becomes("old", 401)
	require.Equal(t, 200, status("new"))

	f.write("  - {source: web, keys: [oops]}\n")
	require.Eventually(t, func() bool { return r.metric("cairn_collector_keys_file_usable") == 0 }, bound, time.Millisecond)
	require.Equal(t, 200, status("new"), "a broken file changes nothing")
	f.write("  - {source: web, keys: [\"" + collector.HashKey(tillKey) + "\"]}\n")
	stays(t, func() bool { return status("new") == 200 }, "a key of two sources is broken, too")
	require.NoError(t, os.Remove(f.path))
	stays(t, func() bool { return status("new") == 200 })
	f.write(entry("newest"))
	becomes("newest", 200)
	require.InDelta(t, 1, r.metric("cairn_collector_keys_file_usable"), 0)
	require.Contains(t, string(r.accepted()[len(r.accepted())-1].Value), `"source"`)
}

func TestReloadLooksAtOnce(t *testing.T) {
	f := newKeysFile(t, "  - {source: web}\n")
	r := start(t, func(o *collector.Options) { f.use(o); o.KeysPoll = time.Hour })
	f.write("  - {source: web, keys: [\"" + collector.HashKey("new") + "\"]}\n")
	require.Equal(t, 401, r.post("/v1/track", "new", event).status)
	r.service.Reload()
	require.Eventually(t, func() bool { return r.post("/v1/track", "new", event).status == 200 }, bound, 5*time.Millisecond)
}

func TestKeysMayBeHashes(t *testing.T) {
	r := start(t, func(o *collector.Options) {
		o.WriteKeys = []collector.WriteKey{{Key: collector.HashKey("secret"), Source: "web"}}
	})
	require.Equal(t, 200, r.post("/v1/track", "secret", event).status)
	require.Equal(t, 401, r.post("/v1/track", collector.HashKey("secret"), event).status)
}

func TestASourceHasItsOwnRate(t *testing.T) {
	f := newKeysFile(t, "  - {source: shop, events_per_second: 0.1}\n")
	r := start(t, func(o *collector.Options) { f.use(o); o.MaxEvents = 3 })
	three := batch(event, event, event)
	require.Equal(t, 200, r.post("/v1/batch", shopKey, three).status)
	require.Equal(t, 429, r.post("/v1/track", shopKey, event).status)
	for range 3 {
		require.Equal(t, 200, r.post("/v1/batch", tillKey, three).status, "others have no limit")
	}
	f.write("  - {source: shop, events_per_second: 0.1, do_not_track: drop}\n")
	stays(t, func() bool { return r.post("/v1/track", shopKey, event).status == 429 }, "what is spent stays spent")
}

func TestOriginsOfASource(t *testing.T) {
	f := newKeysFile(t, "  - {source: shop, origins: [\"https://shop.example\"]}\n")
	r := start(t, f.use)
	for _, where := range []string{"header", "body"} {
		post := func(origin string) reply {
			key, body := shopKey, event
			if where == "body" {
				key, body = "", `{"writeKey":"`+shopKey+`",`+event[1:]
			}
			return r.post("/v1/track", key, body, "Origin", origin)
		}
		got := post("https://shop.example")
		require.Equal(t, 200, got.status)
		require.Equal(t, "https://shop.example", got.header.Get("Access-Control-Allow-Origin"))
		got = post("https://evil.example")
		require.Equal(t, 403, got.status, got.body)
		require.Equal(t, "origin_refused", got.said.Error.Code)
		require.Empty(t, got.header.Get("Access-Control-Allow-Origin"))
		require.Empty(t, got.header.Get("Access-Control-Allow-Credentials"))
	}
	require.Equal(t, 200, r.post("/v1/track", shopKey, event).status, "no browser, no origin")
	require.Equal(t, 200, r.post("/v1/track", tillKey, event, "Origin", "https://evil.example").status, "another source takes all")
	require.Len(t, r.accepted(), 4)

	preflight := func() string {
		got, err := r.send(http.MethodOptions, "/v1/track", "", nil, "Origin", "https://evil.example")
		require.NoError(t, err)
		return got.header.Get("Access-Control-Allow-Origin")
	}
	require.NotEmpty(t, preflight(), "some source takes it")
	f.write("  - {source: shop, origins: [\"https://shop.example\"]}\n  - {source: till, origins: [\"https://till.example\"]}\n")
	require.Eventually(t, func() bool { return preflight() == "" }, bound, 5*time.Millisecond)
}

func TestConsentAndDoNotTrack(t *testing.T) {
	f := newKeysFile(t, `
  - source: shop
    consent: {required: [analytics], on_missing: drop}
    do_not_track: drop
  - source: till
    do_not_track: anonymise
`)
	r := start(t, f.use)
	with := func(consent string) string {
		return `{"type":"track","event":"E","anonymousId":"a1","messageId":"m-` + consent + `","context":{"consent":{"analytics":` + consent + `}}}`
	}
	got := r.post("/v1/batch", shopKey, batch(with("true"), with("false"), event, `{"type":"track"}`))
	require.Equal(t, 200, got.status, got.body)
	require.Equal(t, 200, r.post("/v1/batch", shopKey, batch(with("true")), "DNT", "1").status)
	require.Equal(t, 200, r.post("/v1/batch", shopKey, batch(with("true")), "Sec-GPC", "1").status)
	require.Equal(t, 200, r.post("/v1/track", tillKey, event, "DNT", "1").status)
	recs := r.records()
	require.Len(t, recs, 2)
	values := map[bool]string{}
	for _, rec := range recs {
		values[strings.Contains(string(rec.Value), `"till"`)] = string(rec.Key) + string(rec.Value)
	}
	require.Contains(t, values[false], `"messageId":"m-true"`)
	require.Contains(t, values[true], "anonymised-")
	require.NotContains(t, values[true], "a1")
	require.InDelta(t, 3, r.metric("cairn_collector_dropped_events_total", "shop", "consent"), 0)
	require.InDelta(t, 2, r.metric("cairn_collector_dropped_events_total", "shop", "do_not_track"), 0)
	require.InDelta(t, 5, r.metric("cairn_collector_events_total", "shop", "dropped"), 0)
	require.InDelta(t, 1, r.metric("cairn_collector_events_total", "shop", "accepted"), 0)
	require.Zero(t, r.metric("cairn_collector_events_total", "shop", "rejected"))
}

func TestPersonalDataIsGoneBeforeItIsStored(t *testing.T) {
	f := newKeysFile(t, `
  - source: shop
    pii: [{path: properties.email, do: drop}, {path: traits.phone, do: hash}, {path: context.zip, do: truncate, keep: 2}]
`)
	r := start(t, f.use)
	personal := `{"type":"track","event":"E","anonymousId":"a1","messageId":"m1","properties":{"email":"ann@shop.example"},"traits":{"phone":"0171"},"context":{"zip":"12345"}}`
	bad := `{"type":"track","messageId":"m2","properties":{"email":"ann@shop.example"}}`
	require.Equal(t, 200, r.post("/v1/batch", shopKey, batch(personal, bad)).status)
	require.Equal(t, 200, r.post("/v1/batch", tillKey, batch(personal)).status)
	seen := 0
	for _, rec := range r.records() {
		if strings.Contains(string(rec.Value), `"till"`) {
			require.Contains(t, string(rec.Value), "ann@")
			continue
		}
		require.NotContains(t, string(rec.Value), "ann@")
		require.NotContains(t, string(rec.Value), "0171")
		require.NotContains(t, string(rec.Value), "12345")
		require.True(t, json.Valid(rec.Value))
		seen++
	}
	require.Equal(t, 2, seen)
}

// TestARequestKeepsTheRulesItBeganUnder: a source's entry may go while one of its
// requests is being read. What comes then is not stored as if nothing had been said.
func TestARequestKeepsTheRulesItBeganUnder(t *testing.T) {
	const key = "key-that-goes"
	f := newKeysFile(t, "  - {source: web, keys: [\""+collector.HashKey(key)+"\"], pii: [{path: properties.email, do: drop}]}\n")
	r := start(t, f.use)
	body, in := io.Pipe()
	answered := make(chan reply, 1)
	go func() {
		got, err := r.send(http.MethodPost, "/v1/track", key, body)
		if err == nil {
			answered <- got
		}
		close(answered)
	}()
	text := strings.Replace(event, "{", `{"properties":{"email":"ann@shop.example"},`, 1)
	_, err := in.Write([]byte(text[:20]))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return r.metric("cairn_collector_in_flight_requests") == 1 }, bound, time.Millisecond)
	f.write("  - {source: other}\n")
	require.Eventually(t, func() bool { return r.post("/v1/track", key, event).status == 401 }, bound, 5*time.Millisecond)
	_, err = in.Write([]byte(text[20:]))
	require.NoError(t, err)
	require.NoError(t, in.Close())
	require.Equal(t, 200, (<-answered).status)
	records := r.records()
	require.NotEmpty(t, records)
	for _, rec := range records {
		require.NotContains(t, string(rec.Value), "ann@")
	}
}
