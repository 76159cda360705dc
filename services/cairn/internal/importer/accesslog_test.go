package importer

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const combined = `198.51.100.7 - jo smith [02/Feb/2026:23:59:58 +0130] "GET /shoes/red?utm_source=news&x=\"1\" HTTP/1.1" 200 512 "https://search.example/?q=shoes" "Mozilla/5.0 (X11) \\ Test"`

func TestCombinedLine(t *testing.T) {
	a, err := parseAccessLine([]byte(combined))
	require.NoError(t, err)
	require.Equal(t, &accessLine{
		Host: "198.51.100.7", At: a.At, Method: "GET", Target: `/shoes/red?utm_source=news&x="1"`, Protocol: "HTTP/1.1",
		Request: `GET /shoes/red?utm_source=news&x="1" HTTP/1.1`, Status: 200, Bytes: 512,
		Referrer: "https://search.example/?q=shoes", UserAgent: `Mozilla/5.0 (X11) \ Test`,
	}, a)
	require.True(t, a.At.Equal(time.Date(2026, 2, 2, 22, 29, 58, 0, time.UTC)))
}

func TestLinesThatAreOddButFine(t *testing.T) {
	cases := []struct {
		name, line string
		check      func(t *testing.T, a *accessLine)
	}{
		{
			"common format, no size", `shop.example - - [02/Feb/2026:10:00:00 +0000] "POST /cart HTTP/2.0" 302 -`,
			func(t *testing.T, a *accessLine) {
				t.Helper()
				require.EqualValues(t, -1, a.Bytes)
				require.Empty(t, a.UserAgent)
				require.Equal(t, "POST", a.Method)
			},
		},
		{
			"no request at all", `::1 - - [02/Feb/2026:10:00:00 +0000] "-" 408 0 "-" "-"`,
			func(t *testing.T, a *accessLine) {
				t.Helper()
				require.Empty(t, a.Method)
				require.Empty(t, a.UserAgent)
				require.Equal(t, "::1", a.Host)
			},
		},
		{
			"a request that is no HTTP", `192.0.2.1 - - [02/Feb/2026:10:00:00 +0000] "\x16\x03\x01" 400 226 "-" "-"`,
			func(t *testing.T, a *accessLine) {
				t.Helper()
				require.Empty(t, a.Method)
				require.Equal(t, "\x16\x03\x01", a.Request)
			},
		},
		{
			"a server before the client", `shop.example:443 192.0.2.1 - - [02/Feb/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "x"`,
			func(t *testing.T, a *accessLine) {
				t.Helper()
				require.Equal(t, "192.0.2.1", a.Host)
			},
		},
		{
			"fields after the user agent", `192.0.2.1 - - [02/Feb/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "x" 0.004 "203.0.113.9"`,
			func(t *testing.T, a *accessLine) {
				t.Helper()
				require.Equal(t, `0.004 "203.0.113.9"`, a.Extra)
			},
		},
		{
			"a target with spaces and no protocol", `192.0.2.1 - - [02/Feb/2026:10:00:00 +0000] "GET /a b" 200 5`,
			func(t *testing.T, a *accessLine) {
				t.Helper()
				require.Equal(t, "/a b", a.Target)
			},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a, err := parseAccessLine([]byte(c.line))
			require.NoError(t, err)
			c.check(t, a)
		})
	}
}

func TestMalformedLinesNameTheColumn(t *testing.T) {
	cases := []struct{ line, want string }{
		{`hello`, `6: want a time in brackets`},
		{`h - - [02/Feb/2026:10:00:00 +0000`, `7: the bracket of the time is not closed`},
		{`h - - [32/Feb/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5`, `8: "32/Feb/2026:10:00:00 +0000" is not a time`},
		{`h - - [02/Feb/2026:10:00:00 +0000] GET / 200 5`, `36: want the request in double quotes`},
		{`h - - [02/Feb/2026:10:00:00 +0000] "GET / 200 5`, `36: the double quote of the request is not closed`},
		{`h - - [02/Feb/2026:10:00:00 +0000] "GET / HTTP/1.1" OK 5`, `53: "OK" is no HTTP status`},
		{`h - - [02/Feb/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 five`, `57: "five" is no number of bytes`},
		{`h - - [02/Feb/2026:10:00:00 +0000] "GET / HTTP/1.1" 200`, `56: "" is no number of bytes`},
		{`h - - [02/Feb/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5 "-"`, `62: want the user agent in double quotes`},
		{` - - [02/Feb/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5`, `1: want the client's address`},
	}
	for _, c := range cases {
		_, err := parseAccessLine([]byte(c.line))
		require.ErrorContains(t, err, c.want, c.line)
		var bad *lineError
		require.ErrorAs(t, err, &bad)
	}
}

func TestCutOffUserAgentCounts(t *testing.T) {
	a, err := parseAccessLine([]byte(`h - - [02/Feb/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "Mozilla/5.0 (compat`))
	require.NoError(t, err)
	require.Equal(t, "Mozilla/5.0 (compat", a.UserAgent)
}

func FuzzParseAccessLine(f *testing.F) {
	f.Add([]byte(combined))
	f.Add([]byte(`::1 - - [02/Feb/2026:10:00:00 +0000] "-" 408 0 "-" "-\`))
	f.Fuzz(func(t *testing.T, line []byte) {
		a, err := parseAccessLine(line)
		if err != nil {
			var bad *lineError
			require.ErrorAs(t, err, &bad)
			require.GreaterOrEqual(t, bad.Column, 1)
			require.LessOrEqual(t, bad.Column, len(line)+1)
			return
		}
		out, err := accessEvent(a, "id", "src", "", time.Now())
		require.NoError(t, err)
		require.True(t, json.Valid(out))
	})
}

func TestAccessEvent(t *testing.T) {
	a, err := parseAccessLine([]byte(combined))
	require.NoError(t, err)
	received := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	out, err := accessEvent(a, "m1", "shop", "https://shop.example/", received)
	require.NoError(t, err)
	require.JSONEq(t, `{
		"messageId": "m1", "type": "page", "event": "page_viewed", "anonymousId": "`+visitorID("198.51.100.7", `Mozilla/5.0 (X11) \ Test`)+`",
		"timestamp": "2026-02-02T22:29:58.000Z", "receivedAt": "2026-03-01T00:00:00.000Z", "channel": "web", "source": "shop",
		"context": {
			"page": {"url": "https://shop.example/shoes/red?utm_source=news&x=\"1\"", "path": "/shoes/red", "search": "?utm_source=news&x=\"1\"",
				"referrer": "https://search.example/?q=shoes"},
			"userAgent": "Mozilla/5.0 (X11) \\ Test", "ip": "198.51.100.0", "library": {"name": "cairn-import"}
		},
		"properties": {"method": "GET", "protocol": "HTTP/1.1", "status": 200, "bytes": 512}
	}`, string(out))
	require.NotContains(t, string(out), "198.51.100.7", "the address is cut")
}

func TestVisitorIsAddressAndUserAgent(t *testing.T) {
	first := visitorID("a", "b")
	require.Equal(t, first, visitorID("a", "b"))
	require.NotEqual(t, visitorID("a", "b"), visitorID("a", "c"))
	require.NotEqual(t, visitorID("a", "b"), visitorID("c", "b"))
	require.Len(t, visitorID("a", "b"), 32)
}
