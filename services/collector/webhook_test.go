package collector_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/services/collector"
)

const webhookExamples = "../../schemas/examples/webhooks/"

func TestWebhooksReachKafka(t *testing.T) {
	const secret = "secret-of-the-till"
	t.Setenv("TILL_WEBHOOK_SECRET", secret)
	t.Setenv("CRM_WEBHOOK_SECRET", "secret-of-the-crm")
	r := start(t, func(o *collector.Options) { o.Webhooks = webhookExamples + "webhooks.yaml" })
	body, err := os.ReadFile(webhookExamples + "till.json")
	require.NoError(t, err)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	signature := "sha256=" + hex.EncodeToString(mac.Sum(nil))

	status, _, text := r.ask(http.MethodPost, "/webhook/till", string(body), "X-Till-Signature", signature)
	require.Equal(t, 200, status, text)
	require.Contains(t, text, `"success":true,"items":5,"skipped":2,"rejected":2`)
	status, _, text = r.ask(http.MethodPost, "/webhook/till", string(body), "X-Till-Signature", signature, "Authorization", "Bearer of-its-own")
	require.Equal(t, 200, status, "who signs may say other things in Authorization: %s", text)
	for _, c := range []struct {
		path, body string
		headers    []string
		status     int
	}{
		{"/webhook/till", string(body), []string{"X-Till-Signature", "sha256=00", "Authorization", "Bearer of-its-own"}, 401},
		{"/webhook/calls", "{}", []string{"Authorization", "Bearer of-its-own"}, 401},
		{"/webhook/till", string(body), nil, 401},
		{"/webhook/till", string(body), []string{"X-Api-Key", shopKey}, 401}, // a key is no signature
		{"/webhook/till", string(body) + " ", []string{"X-Till-Signature", signature}, 401},
		{"/webhook/nobody", "{}", nil, 404},
		{"/webhook/nobody", "{}", []string{"X-Api-Key", shopKey}, 404},
		{"/webhook/calls", "{}", nil, 401},
		{"/webhook/calls", "{}", []string{"X-Api-Key", "wrong"}, 401},
		{"/webhook/calls", "{", []string{"X-Api-Key", shopKey}, 400},
		{"/webhook", "{}", nil, 404},
	} {
		status, _, text := r.ask(http.MethodPost, c.path, c.body, c.headers...)
		require.Equal(t, c.status, status, "%s %v: %s", c.path, c.headers, text)
	}
	form, err := os.ReadFile(webhookExamples + "calls.form")
	require.NoError(t, err)
	kind := []string{"Content-Type", "application/x-www-form-urlencoded"}
	for range 2 { // it sends again
		status, _, text = r.ask(http.MethodPost, "/webhook/calls?writeKey="+shopKey, string(form), kind...)
		require.Equal(t, 200, status, text)
	}
	ids := r.ids()
	require.Equal(t, map[string]string{"till:B07-48211": "L-4711", "calls:c-90210": "42"}, ids)
	for _, rec := range r.accepted() {
		var raw wire.Raw
		require.NoError(t, wire.DecodeRaw(&wire.RawRecord{Value: rec.Value, Arrival: rec.Timestamp.UnixMilli()}, &raw))
		want := "till"
		if raw.Key == "42" {
			want = "shop"
		}
		require.Equal(t, want, raw.Touchpoint.Source)
	}
	rejected := r.rejected()
	require.Len(t, rejected, 4, "twice the same two")
	for _, rec := range rejected {
		require.Contains(t, string(body), string(rec.Value))
		require.Equal(t, "till", header(rec, wire.HeaderSource))
	}
	require.InDelta(t, 2, r.metric("cairn_collector_events_total", "till", "accepted"), 0)
}

// TestMappingsChangeWithoutARestart: a change counts; a wrong one does not.
func TestMappingsChangeWithoutARestart(t *testing.T) {
	const before = "version: 1\nsources:\n  one: {event: e, user_id: u}\n"
	path := mappings(t, before)
	r := start(t, func(o *collector.Options) { o.Webhooks, o.WebhooksPoll = path, 5*time.Millisecond })
	status := func(source string) int {
		code, _, _ := r.ask(http.MethodPost, "/webhook/"+source, `{"u":"1"}`, "X-Api-Key", shopKey)
		return code
	}
	require.Equal(t, []int{200, 404}, []int{status("one"), status("two")})
	require.NoError(t, os.WriteFile(path, []byte(before+"  two: {event: e, user_id: u}\n"), 0o600))
	require.Eventually(t, func() bool { return status("two") == 200 }, bound, 5*time.Millisecond)
	require.NoError(t, os.WriteFile(path, []byte("version: 1\nsources:\n  two: {evnt: e}\n"), 0o600))
	stays(t, func() bool { return status("one") == 200 && status("two") == 200 })
	require.NoError(t, os.Remove(path))
	stays(t, func() bool { return status("one") == 200 })
	require.NoError(t, os.WriteFile(path, []byte("version: 1\nsources:\n  two: {event: e, user_id: u}\n"), 0o600))
	require.Eventually(t, func() bool { return status("one") == 404 }, bound, 5*time.Millisecond)
}

func TestWrongMappingsAreFatalAtTheStart(t *testing.T) {
	path := mappings(t, "version: 1\nsources:\n  s: {evnt: e, user_id: u}\n")
	_, err := collector.CheckWebhooks(path, nil)
	require.ErrorContains(t, err, path+":3:7: unknown key \"evnt\"")
	_, err = collector.New(t.Context(), collector.Options{
		Namespace: "x", Listener: new(noListener), WriteKeys: []collector.WriteKey{{Key: "k", Source: "s"}}, Webhooks: path,
	})
	require.ErrorContains(t, err, path+":3:7")
	n, err := collector.CheckWebhooks(webhookExamples+"webhooks.yaml", func(string) (string, bool) { return "", false })
	require.ErrorContains(t, err, "TILL_WEBHOOK_SECRET")
	require.Zero(t, n)
}

// noListener is one that nobody listens with.
type noListener struct{ net.Listener }
