package pixel_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/services/collector/internal/door"
)

// FuzzRedirect looks for addresses that lead to a host that is not listed, read
// as a browser reads them.
func FuzzRedirect(f *testing.F) {
	for target := range goodTargets() {
		f.Add(target)
	}
	for _, target := range badTargets() {
		f.Add(target)
	}
	f.Fuzz(func(t *testing.T, target string) {
		d, _ := open(t)
		in := &door.Input{Method: http.MethodGet, Path: "/r", Kind: "click", Query: url.Values{"u": {target}}, Header: http.Header{}}
		refused := d.New().Decode(in, limits()) != nil
		w := httptest.NewRecorder()
		d.Answer.Accepted(w, in, nil)
		location := w.Header().Get("Location")
		require.Equal(t, refused, location == "", "the decoder and the answer disagree")
		if refused {
			return
		}
		host := browserHost(t, location)
		name := strings.TrimSuffix(strings.TrimSuffix(host, ":443"), ":80")
		require.True(t, name == "shop.example" || host == "tickets.example:8443" || strings.HasSuffix(name, ".brand.example"), "%q leads to %q", target, location)
	})
}

// browserHost is the host that a browser takes out of an address: as the WHATWG
// URL standard has it, any number of slashes and backslashes begin it, the next
// one, ? or # ends it, and what is before the last @ is no part of it.
func browserHost(t *testing.T, address string) string {
	t.Helper()
	for i := range len(address) {
		require.True(t, address[i] > ' ' && address[i] < 0x7f, "a header cannot carry %q", address)
	}
	_, rest, ok := strings.Cut(address, ":")
	require.True(t, ok)
	rest = strings.TrimLeft(rest, `/\`)
	if i := strings.IndexAny(rest, `/\?#`); i >= 0 {
		rest = rest[:i]
	}
	return strings.ToLower(rest[strings.LastIndexByte(rest, '@')+1:])
}

// FuzzDecode looks for queries that crash the decoder, or get a record out of it
// that names nobody or shows the write key.
func FuzzDecode(f *testing.F) {
	f.Add("writeKey=k&userId=42&email=Ada@Example.com&utm_source=a&x=%FF", "c-1")
	f.Add("userId={{id}}&event=&channel=x&messageId=*|ID|*&u=https://shop.example", "0")
	f.Fuzz(func(t *testing.T, query, cookie string) {
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		in := &door.Input{Method: http.MethodGet, Path: "/pixel.gif", Kind: "open", Query: values, Header: http.Header{"Cookie": {"cairn_id=" + cookie}}}
		value, rec, rej := run(t, in)
		require.Nil(t, rej)
		if rec.Reject != nil {
			require.NotContains(t, value, "writeKey")
			return
		}
		require.False(t, journey.Blocked(string(rec.Key)))
		require.NotEmpty(t, value["messageId"])
	})
}
