package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

// assets are the files of the page, compressed once at start.
type assets struct {
	index file
	named map[string]file // below /assets/, names carry a hash of the content
}

type file struct {
	plain, zipped []byte
	kind, etag    string
}

// newAssets reads the page's build: index.html and assets/*.
func newAssets(dist fs.FS) (*assets, error) {
	index, err := readAsset(dist, "index.html")
	if err != nil {
		return nil, err
	}
	a := &assets{index: index, named: map[string]file{}}
	entries, err := fs.ReadDir(dist, "assets")
	if err != nil {
		return nil, fmt.Errorf("list the page's files: %w", err)
	}
	for _, e := range entries {
		if a.named[e.Name()], err = readAsset(dist, path.Join("assets", e.Name())); err != nil {
			return nil, err
		}
	}
	if len(a.named) == 0 {
		return nil, errors.New("the page has no files: build it in services/console/web")
	}
	return a, nil
}

func readAsset(dist fs.FS, name string) (file, error) {
	plain, err := fs.ReadFile(dist, name)
	if err != nil {
		return file{}, fmt.Errorf("read the page's files: %w", err)
	}
	var zipped bytes.Buffer
	z, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if err != nil {
		return file{}, err
	}
	if _, err := z.Write(plain); err != nil {
		return file{}, err
	}
	if err := z.Close(); err != nil {
		return file{}, err
	}
	sum := sha256.Sum256(plain)
	return file{
		plain: plain, zipped: zipped.Bytes(),
		kind: mime.TypeByExtension(path.Ext(name)), etag: `"` + hex.EncodeToString(sum[:8]) + `"`,
	}, nil
}

// page is asked for anew every time, because it names the other files.
func (a *assets) page(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-cache")
	a.index.serve(w, r)
}

// asset is kept for good: another content has another name.
func (a *assets) asset(w http.ResponseWriter, r *http.Request) {
	f, ok := a.named[r.PathValue("name")]
	if !ok {
		http.Error(w, "There is no such file.", http.StatusNotFound)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	f.serve(w, r)
}

func (f file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("ETag", f.etag)
	h.Add("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("If-None-Match"), f.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := f.plain
	if acceptsGzip(r) {
		h.Set("Content-Encoding", "gzip")
		body = f.zipped
	}
	_, _ = w.Write(body) // the reader may be gone
}

// acceptsGzip tells whether the client takes gzip; "gzip;q=0" says no.
func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		coding, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
		if coding == "gzip" {
			return strings.Trim(strings.TrimPrefix(strings.TrimSpace(weight), "q="), "0.") != "" || weight == ""
		}
	}
	return false
}
