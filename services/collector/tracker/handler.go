package tracker

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Path is where sites find the tracker that fits their collector.
const Path = "/cairn.js"

const hashBytes = 8

// handler serves the script, compressed once.
type handler struct {
	plain, zipped []byte
	path          string // with the hash of the content
	etag          string
}

// Handler serves the script under Path, where browsers ask again after five
// minutes whether it has changed, and under /cairn.js/<hash>, which they keep
// for good: its name changes with its content. The hash of another version
// leads to Path, so that a site that has written it down loses no visitor when
// its collector changes. The header Content-Location of Path names the address
// with the hash. Requests for which Serves is false are answered 404.
func Handler() (http.Handler, error) {
	var zipped bytes.Buffer
	z, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("compress cairn.js: %w", err)
	}
	if _, err := z.Write(script); err != nil {
		return nil, fmt.Errorf("compress cairn.js: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("compress cairn.js: %w", err)
	}
	sum := sha256.Sum256(script)
	hash := hex.EncodeToString(sum[:hashBytes])
	return &handler{plain: script, zipped: zipped.Bytes(), path: Path + "/" + hash, etag: `"` + hash + `"`}, nil
}

// Serves reports whether a path is one of Handler's.
func Serves(path string) bool {
	if path == Path {
		return true
	}
	hash, found := strings.CutPrefix(path, Path+"/")
	if !found || len(hash) != 2*hashBytes {
		return false
	}
	_, err := hex.DecodeString(hash)
	return err == nil
}

// ServeHTTP is safe for concurrent use.
func (s *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	// Any site may load it, also with an integrity attribute or under a
	// cross-origin embedder policy.
	h.Set("Access-Control-Allow-Origin", "*")
	h.Del("Access-Control-Allow-Credentials")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	switch {
	case !Serves(r.URL.Path):
		http.NotFound(w, r)
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "The tracker is read with GET.", http.StatusMethodNotAllowed)
		return
	case r.URL.Path == s.path:
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	case r.URL.Path == Path:
		h.Set("Cache-Control", "public, max-age=300, must-revalidate")
		h.Set("Content-Location", s.path[1:]) // relative: the collector may be behind a path
	default:
		h.Set("Cache-Control", "no-store")
		h.Set("Location", ".."+Path) // from below Path
		w.WriteHeader(http.StatusFound)
		return
	}
	s.content(w, r)
}

// content answers with the script, or that it is still the same.
func (s *handler) content(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("ETag", s.etag)
	h.Add("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("If-None-Match"), s.etag) { // also W/"..." and lists
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	body := s.plain
	if acceptsGzip(r) {
		h.Set("Content-Encoding", "gzip")
		body = s.zipped
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the reader may be gone
	}
}

// acceptsGzip tells whether the client takes gzip; "gzip;q=0" says no.
func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		coding, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
		if coding == "gzip" {
			return weight == "" || strings.Trim(strings.TrimPrefix(strings.TrimSpace(weight), "q="), "0.") != ""
		}
	}
	return false
}
