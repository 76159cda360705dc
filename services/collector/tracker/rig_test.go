//nolint:contextcheck // tabs have contexts of their own, which outlive the calls
package tracker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/testbed"
	"github.com/cairnhq/cairn/services/collector"
	"github.com/cairnhq/cairn/services/collector/tracker"
)

func TestMain(m *testing.M) { testbed.Main(m) }

const (
	writeKey = "key-of-the-shop"
	bound    = 30 * time.Second // of every wait
)

// chromium starts a headless browser, which tabs share.
func chromium(t *testing.T) context.Context {
	t.Helper()
	var path string
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome", "chrome"} {
		if found, err := exec.LookPath(name); name != "" && err == nil {
			path = found
			break
		}
	}
	if path == "" {
		testbed.Require(t, "there is no Chromium on the PATH: run make deps or set CHROMIUM to its path")
	}
	ctx, stop := chromedp.NewContext(t.Context(), chromedp.WithAllocatorOptions(
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.IgnoreCertErrors, chromedp.Flag("disable-dev-shm-usage", true), chromedp.WindowSize(1000, 800),
	))
	t.Cleanup(stop)
	require.NoError(t, chromedp.Do(ctx))
	return ctx
}

// rig is a site and a collector with a Kafka of its own.
type rig struct {
	t       *testing.T
	browser context.Context //nolint:containedctx // chromedp keeps its tabs in contexts
	kafka   *kfake.Cluster
	front   http.Handler
	addr    string
	server  *http.Server
	fault   atomic.Pointer[func(w http.ResponseWriter) bool] // answers instead of the collector
	posts   atomic.Int64
	site    *httptest.Server
	options string // of the site's init, JavaScript
	before  string // JavaScript before it
}

// newRig serves a site whose pages all have the tracker. A tab of it shares no
// cookies and storage with other rigs.
func newRig(t *testing.T, browser context.Context, options string) *rig {
	t.Helper()
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, stream.Qualify("test", stream.TopicRaw)))
	require.NoError(t, err)
	t.Cleanup(kafka.Close)
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	service, err := collector.New(t.Context(), collector.Options{
		Namespace: "test", Cluster: stream.Cluster{Brokers: kafka.ListenAddrs()}, Listener: ln,
		WriteKeys: []collector.WriteKey{{Key: writeKey, Source: "shop"}},
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- service.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	require.Eventually(t, func() bool { return service.Ready() == nil }, bound, 5*time.Millisecond)
	r := &rig{t: t, kafka: kafka, addr: "127.0.0.1:0", options: options}
	r.front = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodPost {
			r.posts.Add(1)
			if f := r.fault.Load(); f != nil && (*f)(w) {
				return
			}
		}
		service.Handler().ServeHTTP(w, req)
	})
	r.up()
	t.Cleanup(r.down)
	r.site = httptest.NewServer(http.HandlerFunc(r.page))
	t.Cleanup(r.site.Close)
	r.browser = r.context(browser, chromedp.WithNewBrowserContext())
	return r
}

func (r *rig) context(parent context.Context, o ...chromedp.ContextOption) context.Context {
	r.t.Helper()
	ctx, stop := chromedp.NewContext(parent, o...)
	r.t.Cleanup(stop)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	r.t.Cleanup(cancel)
	require.NoError(r.t, chromedp.Do(ctx))
	return ctx
}

// up makes the collector answer, at the same address as before; down ends that.
func (r *rig) up() {
	ln, err := new(net.ListenConfig).Listen(context.Background(), "tcp", r.addr)
	require.NoError(r.t, err)
	r.addr = ln.Addr().String()
	r.server = &http.Server{Handler: r.front, ReadHeaderTimeout: bound}
	go func(s *http.Server) { _ = s.Serve(ln) }(r.server)
}

func (r *rig) down() { _ = r.server.Close() }

// fails makes the collector's next answers this status, n times.
func (r *rig) fails(n int64, status int, retryAfter string) {
	var left atomic.Int64
	left.Store(n)
	f := func(w http.ResponseWriter) bool {
		if left.Add(-1) < 0 {
			return false
		}
		// As the collector does: a browser's script reads no others.
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Access-Control-Expose-Headers", "Retry-After")
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.WriteHeader(status)
		return true
	}
	r.fault.Store(&f)
}

// page is a page of the site; its title is its path.
func (r *rig) page(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if req.URL.Path == "/slow" { // to be left for
		select {
		case <-time.After(1500 * time.Millisecond):
		case <-req.Context().Done():
		}
	}
	_ = page.Execute(w, map[string]any{ //nolint:gosec // the test's own text
		"Title": req.URL.Path, "Script": "http://" + r.addr + tracker.Path, "Before": template.JS(r.before), //nolint:gosec // the test's own text
		"Options": template.JS(fmt.Sprintf(`Object.assign({key: %q, interval: 50, engagement: false}, {%s})`, writeKey, r.options)), //nolint:gosec // the test's own text
	})
}

//nolint:gochecknoglobals // a constant
var page = template.Must(template.New("page").Parse(`<!DOCTYPE html><html><head><title>{{.Title}}</title>
<script>
!function(c){c=window.cairn=window.cairn||[];"init page track identify alias reset consent".split(" ").forEach(function(m){c[m]=c[m]||function(){c.push([m].concat([].slice.call(arguments)))}})}()
{{.Before}}
cairn.init({{.Options}})
</script>
<script async src="{{.Script}}"></script></head>
<body style="margin:0;font:16px sans-serif">
<p id="text" style="height:40px">A line of text</p>
<button id="buy" data-cairn="product_added" data-cairn-sku="T-1" data-cairn-price="49.9" data-cairn-list-id="007"><b id="inner">Add</b></button>
<button id="dead">Nothing</button>
<button id="alive" onclick="this.textContent += '!'">Something</button>
<a id="hash" href="#">No link</a> <a id="link" href="/slow">A link</a>
<div data-cairn-off><button id="off" data-cairn="never">Private</button><form><input id="offinput" name="x"></form></div>
<form id="checkout" data-cairn="checkout" onsubmit="return false"><input name="email"><input name="city"><button id="submit">Send</button></form>
<form name="newsletter"><input name="address"></form>
<div style="height:3000px"></div></body></html>`))

// event is a record of touchpoints.raw.
type event struct {
	MessageID, Type, AnonymousID, UserID, PreviousID, Event, Name, Source string
	OriginalTimestamp, SentAt                                             time.Time
	Properties, Traits                                                    map[string]any
	Context                                                               struct {
		Page                      struct{ URL, Path, Title, Referrer string }
		Campaign, Screen, Consent map[string]any
		Library                   struct{ Name, Version string }
		Locale, UserAgent         string
	}
	raw string
}

// label is what an event says in short.
func (e event) label() string {
	switch e.Type {
	case "page":
		return strings.TrimSpace("page " + e.Context.Page.Path + " " + e.Name)
	case "track":
		properties, _ := json.Marshal(e.Properties)
		return strings.TrimSuffix(e.Event+" "+string(properties), " null")
	}
	return e.Type
}

// events are all records, as arrived.
func (r *rig) events() []event {
	r.t.Helper()
	topic := stream.Qualify("test", stream.TopicRaw)
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.kafka.ListenAddrs()...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(r.t, err)
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	ends, err := kadm.NewClient(cl).ListEndOffsets(ctx, topic)
	require.NoError(r.t, err)
	var want int64
	ends.Each(func(o kadm.ListedOffset) { want += o.Offset })
	var out []event
	for int64(len(out)) < want {
		fetches := cl.PollFetches(ctx)
		require.NoError(r.t, fetches.Err())
		for _, rec := range fetches.Records() {
			e := event{raw: string(rec.Value)}
			require.NoError(r.t, json.Unmarshal(rec.Value, &e), e.raw)
			require.Empty(r.t, rec.Headers, e.raw) // none is rejected
			require.Equal(r.t, "shop", e.Source)
			out = append(out, e)
		}
	}
	return out
}

// await waits until exactly these events have arrived, in any order, and nothing
// waits in the tab any more. A record too much fails, also one that came twice.
func (r *rig) await(tab context.Context, want ...string) []event {
	r.t.Helper()
	slices.Sort(want)
	var got []event
	labels := func() []string {
		got = r.events()
		var out []string
		for _, e := range got {
			out = append(out, e.label())
		}
		slices.Sort(out)
		return out
	}
	deadline := time.Now().Add(bound)
	for time.Now().Before(deadline) {
		if len(labels()) >= len(want) && len(js[[]string](r.t, tab, queueNames)) == 0 {
			break
		}
		pause()
	}
	require.Equal(r.t, want, labels())
	return got
}

// pause is between two looks.
func pause() { <-time.After(30 * time.Millisecond) }

const queueNames = `Object.keys(localStorage).filter((k) => k.startsWith("cairn.queue."))`

// js evaluates an expression, and awaits its promise.
func js[T any](t *testing.T, tab context.Context, expression string) T {
	t.Helper()
	v, err := chromedp.Run(tab, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	require.NoError(t, err, expression)
	return v
}

func do(t *testing.T, tab context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	require.NoError(t, chromedp.Do(tab, steps...))
}

// open loads a page of the site and waits until the tracker is there.
func (r *rig) open(tab context.Context, path string) {
	r.t.Helper()
	do(r.t, tab, chromedp.Navigate(r.site.URL+path))
	r.loaded(tab)
}

func (r *rig) loaded(tab context.Context) {
	r.t.Helper()
	require.Eventually(r.t, func() bool { return js[bool](r.t, tab, `!!window.cairn?.version`) }, bound, 10*time.Millisecond)
}

func click(id string) chromedp.Action[chromedp.Void] { return chromedp.Click(chromedp.CSS("#" + id)) }
