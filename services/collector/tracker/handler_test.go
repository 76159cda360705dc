package tracker

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func served(t *testing.T) *handler {
	t.Helper()
	h, err := Handler()
	require.NoError(t, err)
	return h.(*handler)
}

// get asks the handler; headers come in pairs.
func get(t *testing.T, method, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	served(t).ServeHTTP(w, r)
	return w
}

func text(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(b)
}

func TestIsLessThanFourKilobytes(t *testing.T) {
	require.Less(t, len(served(t).zipped), 4096, "cairn.js with gzip")
	require.Greater(t, len(script), 4096, "cairn.js is built")
}

func TestServesTheScript(t *testing.T) {
	hashed := served(t).path
	for path, caching := range map[string]string{
		Path: "public, max-age=300, must-revalidate", hashed: "public, max-age=31536000, immutable",
	} {
		require.True(t, Serves(path))
		plain := get(t, http.MethodGet, path, "Accept-Encoding", "gzip;q=0, br", "Origin", "https://shop.example")
		require.Equal(t, http.StatusOK, plain.Code)
		require.Empty(t, plain.Header().Get("Content-Encoding"))
		require.Equal(t, string(script), text(t, plain.Body))
		zipped := get(t, http.MethodGet, path, "Accept-Encoding", "br, gzip;q=0.5")
		require.Equal(t, "gzip", zipped.Header().Get("Content-Encoding"))
		length := zipped.Header().Get("Content-Length")
		require.Equal(t, strconv.Itoa(len(served(t).zipped)), length)
		z, err := gzip.NewReader(zipped.Body)
		require.NoError(t, err)
		require.Equal(t, string(script), text(t, z))
		for _, res := range []*httptest.ResponseRecorder{plain, zipped} {
			h := res.Header()
			require.Equal(t, "text/javascript; charset=utf-8", h.Get("Content-Type"))
			require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
			require.Equal(t, "*", h.Get("Access-Control-Allow-Origin"))
			require.Equal(t, caching, h.Get("Cache-Control"))
			require.Equal(t, "Accept-Encoding", h.Get("Vary"))
			require.Equal(t, plain.Header().Get("ETag"), h.Get("ETag"))
		}
		again := get(t, http.MethodGet, path, "If-None-Match", `"x", W/`+plain.Header().Get("ETag"))
		require.Equal(t, http.StatusNotModified, again.Code)
		require.Empty(t, text(t, again.Body))
		require.Equal(t, caching, again.Header().Get("Cache-Control"))
		require.Equal(t, http.StatusOK, get(t, http.MethodGet, path, "If-None-Match", `"0000000000000000"`).Code)
		head := get(t, http.MethodHead, path, "Accept-Encoding", "gzip")
		require.Equal(t, length, head.Header().Get("Content-Length"))
		require.Empty(t, text(t, head.Body))
		require.Equal(t, http.StatusMethodNotAllowed, get(t, http.MethodPost, path).Code)
	}
	require.Equal(t, hashed, "/"+get(t, http.MethodGet, Path).Header().Get("Content-Location"))
}

func TestAnotherVersionsHashLeadsToThisOne(t *testing.T) {
	res := get(t, http.MethodGet, "/cairn.js/0123456789abcdef")
	require.Equal(t, http.StatusFound, res.Code)
	require.Equal(t, "no-store", res.Header().Get("Cache-Control"))
	require.Equal(t, "../cairn.js", res.Header().Get("Location"))
	for _, path := range []string{"/", "/cairn", "/cairn.js.map", "/cairn.js/", "/cairn.js/0123", "/cairn.js/0123456789abcdeg", "/v1/batch"} {
		require.False(t, Serves(path), path)
		require.Equal(t, http.StatusNotFound, get(t, http.MethodGet, path).Code)
	}
}
