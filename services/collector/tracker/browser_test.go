//nolint:contextcheck // tabs have contexts of their own, which outlive the calls
package tracker_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

func TestInChromium(t *testing.T) {
	browser := chromium(t)
	for name, test := range map[string]func(t *testing.T, browser context.Context){
		"pages": testPages, "clicks": testClicks, "forms": testForms, "frustration": testFrustration, "errors": testErrors, "engagement": testEngagement,
		"visitors": testVisitors, "leaving": testLeaving, "offline": testOffline, "answers": testAnswers, "two tabs": testTwoTabs, "denied in another tab": testDeniedElsewhere,
		"consent": testConsent, "signals": testSignals, "cookie": testCookie,
	} {
		t.Run(name, func(t *testing.T) { test(t, browser) })
	}
}

func testPages(t *testing.T, browser context.Context) {
	t.Helper()
	r := newRig(t, browser, ``)
	tab := r.browser
	r.open(tab, "/?utm_source=news&utm_medium=email&utm_campaign=spring")
	r.await(tab, "page /")
	steps := []struct {
		act  string
		want []string
	}{
		{`history.pushState({}, "", "/a"); document.title = "A"`, []string{"page /", "page /a"}},
		{`history.replaceState({ scroll: 7 }, "", location.href); location.hash = "part"; history.pushState({}, "", "/a")`, []string{"page /", "page /a"}},
		{`history.pushState({}, "", "/redirects"); history.replaceState({}, "", "/b?q=1")`, []string{"page /", "page /a", "page /b"}},
		{`history.pushState({}, "", "/c"); cairn.page("Checkout", { step: 2 })`, []string{"page /", "page /a", "page /b", "page /c Checkout"}},
		{`history.back()`, []string{"page /", "page /a", "page /b", "page /b", "page /c Checkout"}},
		{`location.hash = "#/route"`, []string{"page /", "page /a", "page /b", "page /b", "page /b", "page /c Checkout"}},
	}
	var got []event
	for _, s := range steps {
		js[any](t, tab, "void (() => {"+s.act+"})()")
		<-time.After(250 * time.Millisecond) // longer than a router may take
		got = r.await(tab, s.want...)
	}
	byPath := map[string]event{}
	for _, e := range got {
		byPath[e.Context.Page.Path] = e
		require.Equal(t, map[string]any{"source": "news", "medium": "email", "name": "spring"}, e.Context.Campaign)
		require.Equal(t, "cairn.js", e.Context.Library.Name)
		require.NotEmpty(t, e.Context.Locale)
		require.Positive(t, e.Context.Screen["width"])
		require.Equal(t, "granted", e.Context.Consent["status"])
		require.Contains(t, e.Context.UserAgent, "Chrome")
		require.WithinDuration(t, time.Now(), e.OriginalTimestamp, time.Minute)
		require.False(t, e.SentAt.Before(e.OriginalTimestamp))
		require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, e.MessageID)
		require.Equal(t, got[0].AnonymousID, e.AnonymousID)
	}
	require.Equal(t, "A", byPath["/a"].Context.Page.Title)
	require.Equal(t, r.site.URL+"/a", byPath["/a"].Context.Page.URL)
	require.Contains(t, byPath["/a"].Context.Page.Referrer, "utm_source=news")
	require.Equal(t, map[string]any{"step": 2.0}, byPath["/c"].Properties)

	r.open(tab, "/next") // the landing's campaign, read from storage
	got = r.await(tab, append(steps[len(steps)-1].want, "page /next")...)
	for _, e := range got {
		require.Equal(t, "spring", e.Context.Campaign["name"])
	}
}

func testClicks(t *testing.T, browser context.Context) {
	t.Helper()
	r := newRig(t, browser, `frustration: false`)
	r.open(r.browser, "/")
	do(t, r.browser, click("inner"), click("off"), click("text"), click("checkout"))
	added := `product_added {"list_id":"007","price":49.9,"sku":"T-1"}`
	r.await(r.browser, "page /", added)
	js[any](t, r.browser, `void cairn.push(["track", "called", { a: 1 }], ["nothing"], ["track", "again"])`)
	js[any](t, r.browser, `void (() => { const loop = {}; loop.loop = loop; cairn.track("loop", loop) })()`)
	js[any](t, r.browser, `void cairn.track("too_large", { text: "x".repeat(30000) })`)
	js[any](t, r.browser, `void cairn.track("last")`)
	r.await(r.browser, "page /", added, `called {"a":1}`, "again", "last")
}

func testForms(t *testing.T, browser context.Context) {
	t.Helper()
	r := newRig(t, browser, `frustration: false`)
	r.open(r.browser, "/")
	do(t, r.browser,
		chromedp.SendKeys(chromedp.CSS("#checkout [name=email]"), "secret@example.com"),
		chromedp.SendKeys(chromedp.CSS("#checkout [name=city]"), "Secretville"),
		click("submit"),
		chromedp.SendKeys(chromedp.CSS("#offinput"), "secret"),
		chromedp.SendKeys(chromedp.CSS("[name=address]"), "secret street"),
	)
	want := []string{"page /", `form_started {"form":"checkout"}`, `form_submitted {"fields":2,"form":"checkout"}`, `form_started {"form":"newsletter"}`}
	r.await(r.browser, want...)
	r.open(r.browser, "/elsewhere")
	for _, e := range r.await(r.browser, append(want, `form_abandoned {"fields":1,"form":"newsletter","last_field":"address"}`, "page /elsewhere")...) {
		require.NotContains(t, strings.ToLower(e.raw), "secret")
		if e.Event == "form_abandoned" {
			require.Equal(t, "/", e.Context.Page.Path, "it belongs to the page that was left")
		}
	}
}

func testFrustration(t *testing.T, browser context.Context) {
	t.Helper()
	r := newRig(t, browser, `clicks: false`)
	r.open(r.browser, "/")
	do(t, r.browser, click("text"), click("text"), click("text"), click("text"))
	r.await(r.browser, "page /", `rage_click {"element":"p#text"}`)
	<-time.After(1100 * time.Millisecond)
	do(t, r.browser, click("text"), click("alive"), click("text")) // far from each other
	<-time.After(1100 * time.Millisecond)
	do(t, r.browser, click("dead"))
	<-time.After(1100 * time.Millisecond)
	do(t, r.browser, click("hash"))
	<-time.After(1100 * time.Millisecond)
	want := []string{"page /", `rage_click {"element":"p#text"}`, `dead_click {"element":"button#dead"}`}
	js[any](t, r.browser, `void 0`)
	do(t, r.browser, click("link")) // takes longer than a second
	require.Eventually(t, func() bool { return js[string](t, r.browser, "location.pathname") == "/slow" }, bound, 20*time.Millisecond)
	r.loaded(r.browser)
	r.await(r.browser, append(want, "page /slow")...)
}

func testErrors(t *testing.T, browser context.Context) {
	t.Helper()
	r := newRig(t, browser, ``)
	r.open(r.browser, "/")
	js[any](t, r.browser, `void setTimeout(() => { throw new Error("boom " + "x".repeat(500)) })`)
	js[any](t, r.browser, `void (() => { for (let i = 0; i < 3; i++) setTimeout(() => { null.x }) })()`)
	js[any](t, r.browser, `void Promise.reject(new Error("refused"))`)
	<-time.After(300 * time.Millisecond)
	var kinds []string
	for _, e := range r.events() {
		if e.Event == "error_shown" {
			require.LessOrEqual(t, len(e.Properties["message"].(string)), 200)
			kinds = append(kinds, e.Properties["kind"].(string))
		}
	}
	require.ElementsMatch(t, []string{"error", "error", "rejection"}, kinds, "the same error counts once")
	js[any](t, r.browser, `void (() => { for (let i = 0; i < 9; i++) setTimeout(() => { throw new Error("number " + i) }) })()`)
	<-time.After(300 * time.Millisecond)
	require.Len(t, r.events(), 1+5, "five on a page")
}

func testEngagement(t *testing.T, browser context.Context) {
	t.Helper()
	r := newRig(t, browser, `engagement: true`)
	r.open(r.browser, "/")
	<-time.After(1200 * time.Millisecond)
	js[any](t, r.browser, `void scrollTo(0, document.documentElement.scrollHeight / 2 - innerHeight / 2 + 200)`)
	<-time.After(200 * time.Millisecond)
	js[any](t, r.browser, `void history.pushState({}, "", "/top")`)
	want := []string{"page /", `page_engaged {"engaged_seconds":1,"scroll_depth":50}`, "page /top"}
	<-time.After(200 * time.Millisecond)
	for _, e := range r.await(r.browser, want...) {
		if e.Event == "page_engaged" {
			require.Equal(t, "/", e.Context.Page.Path, "it belongs to the page that was left")
		}
	}
	js[any](t, r.browser, `void scrollTo(0, document.documentElement.scrollHeight)`)
	<-time.After(200 * time.Millisecond)
	r.open(r.browser, "/last")
	r.await(r.browser, append(want, `page_engaged {"engaged_seconds":0,"scroll_depth":100}`, "page /last")...)
}

func testVisitors(t *testing.T, browser context.Context) {
	t.Helper()
	r := newRig(t, browser, ``)
	r.before = `cairn.push(["track", "refused"]); setTimeout(() => cairn.track("before_load"))` // init comes between them
	r.open(r.browser, "/")
	r.await(r.browser, "page /", "before_load")
	r.before = ""
	js[any](t, r.browser, `void (cairn.identify("ann", { plan: "pro" }), cairn.track("as_ann"))`)
	r.await(r.browser, "page /", "before_load", "identify", "as_ann")
	r.open(r.browser, "/two")
	r.await(r.browser, "page /", "before_load", "identify", "as_ann", "page /two")
	js[any](t, r.browser, `void (cairn.alias("ann-2"), cairn.reset(), cairn.track("nobody"))`)
	ids := map[string]string{}
	for _, e := range r.await(r.browser, "page /", "before_load", "identify", "as_ann", "page /two", "alias", "nobody") {
		ids[e.label()] = e.AnonymousID
		switch e.label() {
		case "page /", "before_load", "nobody":
			require.Empty(t, e.UserID)
		case "alias":
			require.Equal(t, []string{"ann-2", "ann"}, []string{e.UserID, e.PreviousID})
		default:
			require.Equal(t, "ann", e.UserID, e.label())
		}
		if e.Type == "identify" {
			require.Equal(t, map[string]any{"plan": "pro"}, e.Traits)
		}
	}
	require.Equal(t, ids["page /"], ids["alias"])
	require.NotEqual(t, ids["page /"], ids["nobody"])
}

func testLeaving(t *testing.T, browser context.Context) {
	t.Helper()
	r := newRig(t, browser, `interval: 60000, frustration: false`)
	r.open(r.browser, "/")
	do(t, r.browser, click("buy"))
	require.Empty(t, r.events())
	do(t, r.browser, chromedp.Navigate("about:blank"))
	require.Eventually(t, func() bool { return len(r.events()) == 2 }, bound, 20*time.Millisecond, "sent by beacon")
	r.open(r.browser, "/back")
	<-time.After(500 * time.Millisecond)
	require.Len(t, r.events(), 2, "what was sent is not sent again")
	do(t, r.browser, chromedp.Navigate("about:blank"))
	require.Eventually(t, func() bool { return len(r.events()) == 3 }, bound, 20*time.Millisecond)
}

const added = `product_added {"list_id":"007","price":49.9,"sku":"T-1"}`

func testOffline(t *testing.T, browser context.Context) {
	t.Helper()
	r := newRig(t, browser, `frustration: false`)
	r.open(r.browser, "/")
	r.await(r.browser, "page /")
	// The script itself comes from the browser's cache meanwhile.
	r.down()
	do(t, r.browser, click("buy"))
	<-time.After(300 * time.Millisecond) // the first attempt has failed
	r.open(r.browser, "/two")
	do(t, r.browser, click("buy"))
	<-time.After(300 * time.Millisecond)
	r.open(r.browser, "/three")
	require.Len(t, r.events(), 1)
	r.up()
	got := r.await(r.browser, "page /", added, "page /two", added, "page /three")
	for _, e := range got {
		require.Equal(t, got[0].AnonymousID, e.AnonymousID)
	}
	require.Empty(t, js[[]string](t, r.browser, queueNames))

	// A page that crashed, and one that left too long ago.
	old := `{"type":"track","event":"EVENT","messageId":"m-EVENT","anonymousId":"a","timestamp":"TIME"}`
	entry := func(name, at string) string {
		text := strings.NewReplacer("EVENT", name, "TIME", at).Replace(old)
		return `localStorage["cairn.queue.` + name + `"] = JSON.stringify([Date.now() - 200000, [JSON.stringify(` + text + `)]]);`
	}
	js[any](t, r.browser, "void (() => {"+entry("crashed", time.Now().UTC().Format(time.RFC3339))+entry("ancient", "2020-01-01T00:00:00Z")+"})()")
	js[any](t, r.browser, `void dispatchEvent(new Event("online"))`)
	r.await(r.browser, "page /", added, "page /two", added, "page /three", "crashed")
}

func testAnswers(t *testing.T, browser context.Context) {
	t.Helper()
	r := newRig(t, browser, `frustration: false`)
	r.open(r.browser, "/")
	want := []string{"page /"}
	r.await(r.browser, want...)
	for _, c := range []struct {
		name, retryAfter string
		status           int
		atLeast          time.Duration
	}{
		{"limited", "2", http.StatusTooManyRequests, 2 * time.Second},
		{"away", "", http.StatusServiceUnavailable, 500 * time.Millisecond},
	} {
		r.fails(1, c.status, c.retryAfter)
		begin, posts := time.Now(), r.posts.Load()
		js[any](t, r.browser, `void cairn.track("`+c.name+`")`)
		if c.retryAfter != "" { // a network that returns is no reason to come earlier
			js[any](t, r.browser, `void setTimeout(() => dispatchEvent(new Event("online")), 400)`)
		}
		want = append(want, c.name)
		r.await(r.browser, want...)
		require.GreaterOrEqual(t, time.Since(begin), c.atLeast, c.name)
		require.Equal(t, posts+2, r.posts.Load(), c.name)
	}
	slow := func(http.ResponseWriter) bool {
		<-time.After(time.Second)
		return false
	}
	r.fault.Store(&slow)
	js[any](t, r.browser, `void (cairn.track("slow"), setTimeout(() => cairn.track("meanwhile"), 300))`)
	<-time.After(400 * time.Millisecond)
	want = append(want, "slow", "meanwhile")
	r.await(r.browser, want...)
	r.fails(1, http.StatusBadRequest, "")
	js[any](t, r.browser, `void cairn.track("refused")`)
	<-time.After(300 * time.Millisecond)
	js[any](t, r.browser, `void cairn.track("last")`)
	r.await(r.browser, append(want, "last")...)
}

func testTwoTabs(t *testing.T, browser context.Context) {
	t.Helper()
	r := newRig(t, browser, `frustration: false`)
	first := r.browser
	r.open(first, "/one")
	second := r.context(first)
	r.open(second, "/two")
	r.await(second, "page /one", "page /two")
	r.down()
	do(t, first, click("buy"))
	do(t, second, click("buy"))
	js[any](t, first, `void cairn.track("from_first")`)
	<-time.After(300 * time.Millisecond)
	do(t, first, chromedp.Navigate("about:blank"))
	r.up()
	js[any](t, second, `void dispatchEvent(new Event("online"))`)
	got := r.await(second, "page /one", "page /two", added, added, "from_first")
	ids := map[string]bool{}
	for _, e := range got {
		require.Equal(t, got[0].AnonymousID, e.AnonymousID, "tabs are one visitor")
		ids[e.MessageID] = true
	}
	require.Len(t, ids, len(got))
	<-time.After(time.Second)
	require.Len(t, r.events(), len(got), "and nothing comes later")
}

func testConsent(t *testing.T, browser context.Context) {
	t.Helper()
	traces := `document.cookie + Object.keys(localStorage) + Object.keys(sessionStorage)`
	r := newRig(t, browser, `frustration: false, consent: "pending"`)
	tab := r.browser
	r.open(tab, "/?utm_source=news")
	js[any](t, tab, `void (cairn.identify("ann"), cairn.track("held"))`)
	<-time.After(300 * time.Millisecond)
	require.Empty(t, js[string](t, tab, traces), "nothing is stored")
	require.Zero(t, r.posts.Load(), "nothing is sent")
	js[any](t, tab, `void cairn.consent("granted")`)
	for _, e := range r.await(tab, "page /", "identify", "held") {
		require.Equal(t, "granted", e.Context.Consent["status"])
		require.NotEmpty(t, e.AnonymousID)
	}
	require.Contains(t, js[string](t, tab, traces), "cairn_id")
	r.down()
	js[any](t, tab, `void cairn.track("never_sent")`)
	js[any](t, tab, `void cairn.consent("denied")`)
	require.Empty(t, js[string](t, tab, traces), "what was stored is gone")
	r.up()
	js[any](t, tab, `void cairn.track("denied")`)
	r.open(tab, "/pending")
	<-time.After(300 * time.Millisecond) // its view is held, too
	js[any](t, tab, `void (cairn.track("held"), cairn.consent("denied"), cairn.consent("granted"), cairn.track("new"))`)
	r.await(tab, "page /", "identify", "held", "new")

	r.options = `consent: "denied"`
	r.open(tab, "/denied")
	<-time.After(300 * time.Millisecond)
	require.Empty(t, js[string](t, tab, traces))
	require.Len(t, r.events(), 4)
}

// What waits in one tab is gone when consent ends in another.
func testDeniedElsewhere(t *testing.T, browser context.Context) {
	t.Helper()
	r := newRig(t, browser, `frustration: false`)
	first := r.browser
	r.open(first, "/one")
	second := r.context(first)
	r.open(second, "/two")
	r.await(second, "page /one", "page /two")
	r.down()
	js[any](t, first, `void cairn.track("waits")`)
	<-time.After(300 * time.Millisecond) // an attempt has failed
	js[any](t, second, `void cairn.consent("denied")`)
	require.Eventually(t, func() bool { return len(js[[]string](t, first, queueNames)) == 0 }, bound, 10*time.Millisecond)
	r.up()
	js[any](t, first, `void dispatchEvent(new Event("online"))`)
	<-time.After(2 * time.Second) // longer than until the next attempt
	r.await(first, "page /one", "page /two")
}

func testSignals(t *testing.T, browser context.Context) {
	t.Helper()
	r := newRig(t, browser, ``)
	r.before = `Object.defineProperty(navigator, "globalPrivacyControl", { value: true })`
	r.open(r.browser, "/ignored")
	r.await(r.browser, "page /ignored")
	r.options = `dnt: true`
	r.open(r.browser, "/honoured")
	js[any](t, r.browser, `void (cairn.consent("granted"), cairn.track("no"))`)
	<-time.After(300 * time.Millisecond)
	r.await(r.browser, "page /ignored")
	require.Empty(t, js[string](t, r.browser, `document.cookie`))
}

func testCookie(t *testing.T, browser context.Context) {
	t.Helper()
	type cookie struct {
		Value, Path, SameSite string
		Domain                *string
		Expires               float64
		Secure                bool
	}
	read := `cookieStore.get("cairn_id")`
	r := newRig(t, browser, ``)
	r.open(r.browser, "/")
	require.Eventually(t, func() bool { return js[bool](t, r.browser, `/cairn_id=/.test(document.cookie)`) }, bound, 10*time.Millisecond)
	c := js[cookie](t, r.browser, read)
	require.Len(t, c.Value, 36)
	require.Equal(t, []any{"/", "lax", false}, []any{c.Path, c.SameSite, c.Secure})
	require.Nil(t, c.Domain, "this host alone")
	require.WithinDuration(t, time.Now().AddDate(0, 0, 365), time.UnixMilli(int64(c.Expires)), time.Hour)
	got := r.await(r.browser, "page /")
	require.Equal(t, c.Value, got[0].AnonymousID)

	r.options = `cookieDomain: "shop.localhost", cookieDays: 30`
	do(t, r.browser, chromedp.Navigate(strings.Replace(r.site.URL, "127.0.0.1", "www.shop.localhost", 1)+"/sub"))
	r.loaded(r.browser)
	r.await(r.browser, "page /", "page /sub")
	c = js[cookie](t, r.browser, read)
	require.Equal(t, "shop.localhost", *c.Domain)
	require.WithinDuration(t, time.Now().AddDate(0, 0, 30), time.UnixMilli(int64(c.Expires)), time.Hour)

	r.options = ``
	secure := httptest.NewTLSServer(http.HandlerFunc(r.page))
	defer secure.Close()
	do(t, r.browser, chromedp.Navigate(secure.URL+"/secure"))
	r.loaded(r.browser)
	r.await(r.browser, "page /", "page /sub", "page /secure")
	require.True(t, js[cookie](t, r.browser, read).Secure)
}
