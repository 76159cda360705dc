//go:build linux

//nolint:contextcheck // tabs have contexts of their own, which outlive the calls
package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/cairnhq/cairn/pkg/testbed"
)

// browser is a Chromium with a site of its own: every run has its pages there.
type browser struct {
	tabs context.Context //nolint:containedctx // chromedp keeps its tabs in contexts
	site *httptest.Server

	mu    sync.Mutex
	pages map[string]*telling // by the first part of the path, the prefix
}

// The site's names. Chromium is told that they are on this machine.
const (
	shopHost   = "shop.example"
	searchHost = "search.example"
)

// newBrowser bundles the scripts and starts Chromium; the text says why that is
// not possible.
func newBrowser(t *testing.T, scripts string) (b *browser, missing string) {
	t.Helper()
	path, err := testbed.FindChromium()
	if err != nil {
		return nil, err.Error()
	}
	bundles := t.TempDir()
	if _, err := prepare(t, scripts, "node", "browser/build.mjs", bundles); err != nil {
		return nil, fmt.Sprintf("node browser/build.mjs in %s failed: %v", scripts, err)
	}
	b = &browser{pages: map[string]*telling{}}
	mux := http.NewServeMux()
	mux.Handle("/bundles/", http.StripPrefix("/bundles/", http.FileServer(http.Dir(bundles))))
	mux.HandleFunc("/", b.page)
	b.site = httptest.NewServer(mux)
	t.Cleanup(b.site.Close)
	at := strings.TrimPrefix(b.site.URL, "http://")
	ctx, stop := chromedp.NewContext(t.Context(), chromedp.WithAllocatorOptions(
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Flag("disable-dev-shm-usage", true), chromedp.WindowSize(1000, 800),
		chromedp.Flag("host-resolver-rules", "MAP "+shopHost+" "+at+", MAP "+searchHost+" "+at),
		// Clients leave out robots.
		chromedp.Flag("disable-blink-features", "AutomationControlled"),
		chromedp.UserAgent("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"),
	))
	t.Cleanup(stop)
	if err := chromedp.Do(ctx); err != nil {
		return nil, "Chromium does not start: " + err.Error()
	}
	b.tabs = ctx
	return b, ""
}

//nolint:gochecknoglobals // a constant
var clientPage = template.Must(template.New("page").Parse(`<!DOCTYPE html><html><head><meta charset="utf-8">
{{if .To}}<script>location.href = {{.To}}</script></head></html>{{else}}<title>Grüße 日本</title>
<script>window.settings = {{.Settings}}</script>
<script type="module" src="/bundles/{{.Script}}.js"></script></head><body><p>A shop</p></body></html>{{end}}`))

// page is a page of the shop, or the search engine that leads there.
func (b *browser) page(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if strings.HasPrefix(req.Host, searchHost) {
		_ = clientPage.Execute(w, map[string]any{"To": req.URL.Query().Get("to")})
		return
	}
	prefix, _, _ := strings.Cut(strings.TrimPrefix(req.URL.Path, "/"), "/")
	b.mu.Lock()
	r := b.pages[prefix]
	b.mu.Unlock()
	if r == nil {
		http.NotFound(w, req)
		return
	}
	_ = clientPage.Execute(w, map[string]any{
		"Script": r.client.script, "Settings": map[string]string{"host": r.host, "writeKey": r.key, "prefix": r.prefix},
	})
}

// inBrowser opens the client's page in a browser of its own, and waits until
// everything has arrived: not all clients say what is delivered.
func inBrowser(ctx context.Context, r *telling, s *stage) (err error) {
	b := s.browser
	b.mu.Lock()
	b.pages[r.prefix] = r
	b.mu.Unlock()
	tab, stop := chromedp.NewContext(b.tabs, chromedp.WithNewBrowserContext())
	defer stop()
	tab, cancel := context.WithTimeout(tab, patience)
	defer cancel()
	page := "http://" + shopHost + "/" + r.prefix + "/gr%C3%BC%C3%9Fe?utm_source=news&utm_medium=email&utm_campaign=fr%C3%BChling"
	if err := chromedp.Do(tab, chromedp.Navigate("http://"+searchHost+"/?to="+url.QueryEscape(page))); err != nil {
		return fmt.Errorf("open the page of %s: %w", r.name, err)
	}
	if err := r.awaitTold(tab); err != nil {
		return err
	}
	if err := r.awaitStored(ctx, len(r.told)-len(r.client.rejected)); err != nil {
		return err
	}
	// Who leaves may still have something to say.
	if err := chromedp.Do(tab, chromedp.Navigate("about:blank")); err != nil {
		return fmt.Errorf("leave the page of %s: %w", r.name, err)
	}
	return r.awaitStored(ctx, len(r.client.rows))
}

// awaitTold reads what the page says until the client has taken all of it.
func (r *telling) awaitTold(tab context.Context) error {
	want := len(r.client.rejected)
	for _, w := range r.client.rows {
		if !w.Untold {
			want++
		}
	}
	last := ""
	for {
		text, err := chromedp.Run(tab, chromedp.Evaluate[string](`JSON.stringify({told: window.told || [], visitor: window.visitor || ""})`))
		if err == nil {
			last = text
			var said struct {
				Told    []told
				Visitor string
			}
			if err := json.Unmarshal([]byte(text), &said); err != nil {
				return fmt.Errorf("%s says %s: %w", r.name, text, err)
			}
			if r.told, r.visitor = said.Told, said.Visitor; len(r.told) >= want {
				return nil
			}
		}
		if !shortPause(tab) {
			return fmt.Errorf("%s has told of %d events after %s, not of %d: %s (%w)", r.name, len(r.told), patience, want, last, errors.Join(err, tab.Err()))
		}
	}
}

// awaitStored waits until so many touchpoints of the run are in ClickHouse.
func (r *telling) awaitStored(ctx context.Context, want int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := r.machine.dial()
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	for {
		n, err := count(ctx, conn, "SELECT count() FROM cairn.touchpoints FINAL WHERE source = ?", r.name)
		if err == nil && n >= uint64(want) {
			return nil
		}
		if !shortPause(ctx) {
			return fmt.Errorf("%d touchpoints of %s are stored after %s, not %d (%w)", n, r.name, patience, want, errors.Join(err, ctx.Err()))
		}
	}
}

// shortPause waits a little; false: the time is over.
func shortPause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(50 * time.Millisecond):
		return true
	}
}
