package pixel_test

import (
	"bytes"
	"encoding/json"
	"image/gif"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/services/collector/internal/door"
	"github.com/cairnhq/cairn/services/collector/internal/pixel"
)

func received() time.Time { return time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC) }

func limits() door.Limits { return door.Limits{EventBytes: 32 << 10, Events: 20, Depth: 8} }

// open makes the door that redirects to the hosts of the tests, and counts the
// links it lost.
func open(tb testing.TB) (door.Door, *[]string) {
	tb.Helper()
	lost := &[]string{}
	d, err := pixel.Door(pixel.Options{
		AllowedRedirects: []string{"shop.example", "Tickets.example:8443", ".brand.example"},
		Lost:             func(reason string) { *lost = append(*lost, reason) },
	})
	require.NoError(tb, err)
	return d, lost
}

func input(tb testing.TB, target string, headers ...string) *door.Input {
	tb.Helper()
	u, err := url.Parse(target)
	require.NoError(tb, err)
	in := &door.Input{Method: http.MethodGet, Path: u.Path, Query: u.Query(), Header: http.Header{}, Kind: "open"}
	if u.Path == "/r" {
		in.Kind = "click"
	}
	for i := 0; i+1 < len(headers); i += 2 {
		in.Header.Set(headers[i], headers[i+1])
	}
	return in
}

// run decodes a request and makes its record, which the device step must be able
// to read under the same key.
func run(tb testing.TB, in *door.Input) (value map[string]any, rec door.Record, rej *door.Reject) {
	tb.Helper()
	d, _ := open(tb)
	q := d.New()
	if rej = q.Decode(in, limits()); rej != nil {
		return nil, rec, rej
	}
	require.Equal(tb, 1, q.Len())
	require.Nil(tb, q.WriteKey())
	rec, _ = q.Append(0, &door.Meta{ReceivedAt: received(), Source: "mails", IP: "192.0.2.0", UserAgent: "Mozilla/5.0"}, nil)
	require.NoError(tb, json.Unmarshal(rec.Value, &value))
	if rec.Reject == nil {
		var read wire.Raw
		require.NoError(tb, wire.DecodeRaw(&wire.RawRecord{Value: rec.Value, Arrival: received().UnixMilli()}, &read))
		require.Equal(tb, read.Key, string(rec.Key))
	}
	return value, rec, nil
}

func TestAnOpenedMail(t *testing.T) {
	got, rec, rej := run(t, input(t, "/pixel.gif?writeKey=k&userId=42&email=Ada@Example.com&campaign=spring&utm_source=news&messageId=mail-7&mailing=n-3"))
	require.Nil(t, rej)
	require.Nil(t, rec.Reject)
	require.Equal(t, "42", string(rec.Key))
	require.Equal(t, map[string]any{
		"type": "track", "event": "email_opened", "channel": "email", "actor": "customer", "source": "mails",
		"userId": "42", "messageId": "mail-7", "receivedAt": "2026-11-23T08:00:00.000Z",
		"externalIds": []any{map[string]any{"type": "email", "id": "Ada@Example.com"}},
		"context":     map[string]any{"campaign": map[string]any{"name": "spring", "source": "news"}, "ip": "192.0.2.0", "userAgent": "Mozilla/5.0"},
		"properties":  map[string]any{"mailing": "n-3"},
	}, got)
}

func TestIdentifiers(t *testing.T) {
	for name, c := range map[string]struct{ query, cookie, key string }{
		"a visitor":                  {"anonymousId=a&userId=u", "", "a"},
		"an address, in lower case":  {"email=A@b.example", "", "a@b.example"},
		"a loyalty card":             {"loyalty=L-1", "", "L-1"},
		"the tracker's cookie":       {"", "c-1", "c-1"},
		"one given before a cookie":  {"anonymousId=a", "c-1", "a"},
		"an empty placeholder":       {"userId={{contact.id}}&anonymousId=*|UNIQID|*&email=%25%25EMAIL%25%25", "", ""},
		"a blocked cookie":           {"", "undefined", ""},
		"a cookie of too many bytes": {"", strings.Repeat("x", 101), ""},
		"bytes that are no UTF-8":    {"userId=u%FF", "", "u\uFFFD"},
	} {
		t.Run(name, func(t *testing.T) {
			_, rec, rej := run(t, input(t, "/pixel.gif?"+c.query, "Cookie", "cairn_id="+c.cookie))
			require.Nil(t, rej)
			require.Equal(t, c.key, string(rec.Key))
			require.Equal(t, c.key == "", rec.Reject != nil)
		})
	}
	one, _, _ := run(t, input(t, "/pixel.gif?userId=u"))
	two, _, _ := run(t, input(t, "/pixel.gif?userId=u&messageId={{id}}"))
	require.NotEqual(t, one["messageId"], two["messageId"], "each opening is one of its own")
	_, rec, _ := run(t, input(t, "/pixel.gif?writeKey=secret&x=1"))
	require.Equal(t, door.CodeNoIdentifier, rec.Reject.Code)
	require.JSONEq(t, `{"x":"1"}`, string(rec.Value), "without the write key")
}

func TestAClickedLink(t *testing.T) {
	link := func(query, target string) map[string]any {
		got, rec, rej := run(t, input(t, "/r?userId=42&"+query+"&u="+url.QueryEscape(target)))
		require.Nil(t, rej)
		require.Nil(t, rec.Reject)
		return got
	}
	got := link("", "https://shop.example/tents?a=1")
	require.Equal(t, "link_clicked", got["event"])
	require.Equal(t, "web", got["channel"])
	require.Equal(t, map[string]any{"url": "https://shop.example/tents?a=1"}, got["properties"])
	got = link("", "https://shop.example/?utm_medium=email&utm_campaign=spring")
	require.Equal(t, "email_clicked", got["event"])
	require.Equal(t, "email", got["channel"])
	require.Equal(t, map[string]any{"medium": "email", "name": "spring"}, got["context"].(map[string]any)["campaign"])
	require.Equal(t, "email_clicked", link("channel=email", "https://shop.example/")["event"])
	got = link("event=banner_clicked&channel=ads&position=3", "https://shop.example/")
	require.Equal(t, "banner_clicked", got["event"])
	require.Equal(t, "ads", got["channel"])
	require.Equal(t, "3", got["properties"].(map[string]any)["position"])
}

// goodTargets and badTargets are also what the fuzz target starts from.
func goodTargets() map[string]string {
	return map[string]string{
		"https://shop.example":                        "https://shop.example",
		"http://shop.example/a?b=c&d=e#f":             "http://shop.example/a?b=c&d=e#f",
		"HTTPS://SHOP.example/A":                      "https://shop.example/A",
		"https://shop.example:443/":                   "https://shop.example:443/",
		"https://tickets.example:8443/":               "https://tickets.example:8443/",
		"https://a.brand.example/":                    "https://a.brand.example/",
		"https://a.b.brand.example/":                  "https://a.b.brand.example/",
		"https://shop.example/?next=//evil.example":   "https://shop.example/?next=//evil.example",
		"https://shop.example/größe?q=ü#ä":            "https://shop.example/gr%C3%B6%C3%9Fe?q=%C3%BC#%C3%A4",
		"https://shop.example//evil.example/%2e%2e/x": "https://shop.example//evil.example/%2e%2e/x",
	}
}

func badTargets() []string {
	return []string{
		"", "/", "shop.example", "//shop.example", "//evil.example", "https:shop.example", "https:/shop.example", "https:///shop.example",
		"https://evil.example", "https://shop.example.evil.example", "https://notshop.example", "https://brand.example", "https://.brand.example",
		"https://evilbrand.example", "https://shop.example@evil.example", "https://shop.example:443@evil.example/", "https://user@shop.example",
		"https://user:pw@shop.example", "https://evil.example#@shop.example", "https://evil.example\\@shop.example", "https://shop.example\\@evil.example",
		"https:\\\\shop.example", "https://shop.example\\.evil.example", "\\\\evil.example", "/\\evil.example",
		" https://shop.example", "https://shop.example ", "https://shop.example/\r\nSet-Cookie: a=b", "https://shop.example/\tx", "https://sh\top.example",
		"https://shop.example/\x00", "https://shop.example/\x7f", "java\tscript:alert(1)", "javascript:alert(1)//shop.example", "javascript://shop.example/%0aalert(1)",
		"data:text/html,x", "ftp://shop.example", "file://shop.example/etc", "https://shop.example:8443/", "https://tickets.example/", "https://shop.example:/", "https://shop.example:80/",
		"https://[::1]/", "https://shop.example.", "https://ｓhop.example/", "https://shop%2eexample/", "https://shop。example/", "https://ſhop.example/", "https://shop.example%00.evil.example/",
		"https://shop.example/%zz", "https://shop.example/" + strings.Repeat("x", 4096),
	}
}

func TestRedirectsGoOnlyToListedHosts(t *testing.T) {
	d, lost := open(t)
	for target, want := range goodTargets() {
		in := input(t, "/r?userId=u&u="+url.QueryEscape(target))
		w := httptest.NewRecorder()
		require.Nil(t, d.New().Decode(in, limits()), target)
		d.Answer.Accepted(w, in, nil)
		require.Equal(t, http.StatusFound, w.Code, target)
		require.Equal(t, want, w.Header().Get("Location"))
		require.Contains(t, w.Header().Get("Cache-Control"), "no-store")
		require.Empty(t, w.Body.String())
	}
	for _, target := range badTargets() {
		in := &door.Input{Method: http.MethodGet, Path: "/r", Kind: "click", Query: url.Values{"u": {target}}, Header: http.Header{}}
		rej := d.New().Decode(in, limits())
		require.NotNil(t, rej, target)
		require.Equal(t, "/u", rej.Pointer)
		for _, answer := range []func(http.ResponseWriter){
			func(w http.ResponseWriter) { d.Answer.Accepted(w, in, nil) }, // cannot be, but must not harm
			func(w http.ResponseWriter) {
				d.Answer.Refused(w, in, &door.Refusal{Status: 400, Code: rej.Code, Message: rej.Message})
			},
			func(w http.ResponseWriter) { d.Answer.Refused(w, in, &door.Refusal{Status: 503, Code: "away"}) },
		} {
			w := httptest.NewRecorder()
			answer(w)
			require.Equal(t, http.StatusBadRequest, w.Code, target)
			require.Empty(t, w.Header().Get("Location"), target)
			require.Contains(t, w.Body.String(), "This link leads nowhere")
			require.NotContains(t, w.Body.String(), "evil")
		}
	}
	require.Empty(t, *lost, "a link to nowhere is no lost click")
}

// Whatever becomes of the event, the customer gets to the page, and it is
// counted.
func TestARefusedClickStillLeadsToThePage(t *testing.T) {
	d, lost := open(t)
	in := input(t, "/r?userId=u&u=https://shop.example/a")
	for _, r := range []door.Refusal{{Status: 503, Code: "kafka_unavailable"}, {Status: 401, Code: "unauthorized"}, {Status: 429, Code: "rate_limited"}} {
		w := httptest.NewRecorder()
		w.Header().Set("Retry-After", "5")
		d.Answer.Refused(w, in, &r)
		require.Equal(t, http.StatusFound, w.Code)
		require.Equal(t, "https://shop.example/a", w.Header().Get("Location"))
		require.Equal(t, r.Code, w.Header().Get("Cairn-Lost"))
		require.Empty(t, w.Header().Get("Retry-After"))
	}
	require.Equal(t, []string{"kafka_unavailable", "unauthorized", "rate_limited"}, *lost)
	w := httptest.NewRecorder()
	d.Answer.Refused(w, &door.Input{Method: http.MethodPost, Path: "/r"}, &door.Refusal{Status: 405})
	require.Equal(t, 405, w.Code)
}

func TestTheImage(t *testing.T) {
	d, _ := open(t)
	for _, c := range []struct {
		answer func(http.ResponseWriter, *door.Input)
		status int
		reason string
	}{
		{func(w http.ResponseWriter, in *door.Input) { d.Answer.Accepted(w, in, nil) }, 200, ""},
		{func(w http.ResponseWriter, in *door.Input) {
			d.Answer.Accepted(w, in, []*door.Reject{{Code: "no_identifier"}})
		}, 200, "no_identifier"},
		{func(w http.ResponseWriter, in *door.Input) {
			d.Answer.Refused(w, in, &door.Refusal{Status: 401, Code: "unauthorized"})
		}, 401, "unauthorized"},
	} {
		w := httptest.NewRecorder()
		c.answer(w, input(t, "/pixel.gif"))
		require.Equal(t, c.status, w.Code)
		require.Equal(t, c.reason, w.Header().Get("Cairn-Rejected")+w.Header().Get("Cairn-Lost"))
		require.Equal(t, "image/gif", w.Header().Get("Content-Type"))
		require.Contains(t, w.Header().Get("Cache-Control"), "no-store")
		img, err := gif.Decode(bytes.NewReader(w.Body.Bytes()))
		require.NoError(t, err)
		require.Equal(t, 1, img.Bounds().Dx()*img.Bounds().Dy())
		_, _, _, alpha := img.At(0, 0).RGBA()
		require.Zero(t, alpha, "transparent")
	}
}

func TestAllowedRedirectsAreChecked(t *testing.T) {
	for _, bad := range []string{"", "https://shop.example", "shop.example/a", "*.shop.example", "..shop.example", "shop example", "größe.example", ".shop.example:80"} {
		_, err := pixel.Door(pixel.Options{AllowedRedirects: []string{bad}})
		require.ErrorContains(t, err, "allowed redirect", bad)
	}
	d, err := pixel.Door(pixel.Options{})
	require.NoError(t, err)
	require.NotNil(t, d.New().Decode(input(t, "/r?u=https://shop.example"), limits()), "nothing is allowed by default")
}
