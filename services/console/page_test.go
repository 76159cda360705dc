package console

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest"

	"github.com/cairnhq/cairn/pkg/testbed"
	"github.com/cairnhq/cairn/pkg/warehouse"
	"github.com/cairnhq/cairn/services/console/mapview"
)

// start runs a console on a free port until the test ends.
func start(t *testing.T, o Options) (s *Service, url string) {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	o.Listener = ln
	o.Log, o.Registerer = zaptest.NewLogger(t), prometheus.NewRegistry()
	s, err = New(t.Context(), o)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return s, "http://" + ln.Addr().String()
}

// connect opens the test's ClickHouse.
func connect(t *testing.T) (driver.Conn, *testbed.ClickHouseEnv) {
	t.Helper()
	env := testbed.ClickHouse(t)
	conn, err := warehouse.Open(t.Context(), env.DSN)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn, env
}

// browser is a headless Chromium with one tab.
func browser(t *testing.T) context.Context {
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
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Flag("disable-dev-shm-usage", true), chromedp.WindowSize(1440, 900),
	))
	t.Cleanup(stop)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// open loads an address and waits until the page has drawn something.
func openPage(ctx context.Context, t *testing.T, url string) {
	t.Helper()
	require.NoError(t, chromedp.Do(ctx,
		chromedp.Navigate(url),
		chromedp.WaitReady(chromedp.CSS("html[data-ready]")),
	))
}

// js evaluates an expression in the page.
func js[T any](ctx context.Context, t *testing.T, expression string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	require.NoError(t, err, expression)
	return v
}

// screenshot writes the page as it is into the folder SCREENSHOTS names, if it is set.
func screenshot(ctx context.Context, t *testing.T, name string) {
	t.Helper()
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		return
	}
	// The picture gets a name to look at instead of the test's random namespace.
	js[any](ctx, t, `void (document.querySelector(".space").textContent &&= "tarn_outdoor")`)
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644))
}

// readPage collects every number that the map shows, by what it belongs to.
const readPage = `(() => {
	const numbers = {};
	for (const s of document.querySelectorAll(".stages [data-stage]"))
		for (const n of s.querySelectorAll("[data-number]")) numbers[s.dataset.stage + "/" + n.dataset.number] = n.textContent;
	for (const row of document.querySelectorAll("tr[data-channel]"))
		for (const cell of row.querySelectorAll("td"))
			numbers["cell/" + row.dataset.channel + "/" + cell.dataset.stage] = cell.textContent + " | " + cell.getAttribute("aria-label");
	for (const d of document.querySelectorAll("[data-day]")) numbers["day/" + d.dataset.day] = d.getAttribute("aria-label");
	for (const n of document.querySelectorAll("footer [data-number]")) numbers["footer/" + n.dataset.number] = n.textContent;
	return numbers;
})()`

func TestPageShowsWhatSQLSays(t *testing.T) {
	conn, env := connect(t)
	ctx := t.Context()
	seedShop(ctx, t, conn, env.Namespace, 1400, 60)
	_, url := start(t, Options{Namespace: env.Namespace, DSN: env.DSN})
	tab := browser(t)
	for _, c := range []struct {
		name, query string
		from, to    time.Time
	}{
		{"all time", "", mapview.Earliest(), mapview.Latest().AddDate(-90, 0, 0)},
		{"three days", "?from=2026-11-12&to=2026-11-15", firstDay().AddDate(0, 0, 3), firstDay().AddDate(0, 0, 6)},
	} {
		t.Run(c.name, func(t *testing.T) {
			openPage(tab, t, url+"/"+c.query)
			require.Equal(t, "live", js[string](tab, t, `document.documentElement.dataset.state`))
			got := js[map[string]string](tab, t, readPage)
			want := expectedPage(truth(ctx, t, conn, env.Namespace, c.from, c.to), "decision")
			require.Equal(t, want, got)
			require.Greater(t, len(want), 50)
			screenshot(tab, t, strings.ReplaceAll(c.name, " ", "-"))
		})
	}
}

// expectedPage is what readPage must return.
func expectedPage(o oracle, focus string) map[string]string {
	want := map[string]string{}
	stages := shopStages()
	entrants := o.stages[stages[0]].profiles
	channels := map[string]bool{}
	profiles := map[string]uint64{}
	for i, name := range stages {
		s := o.stages[name]
		profiles[name] = s.profiles
		want[name+"/profiles"] = mapview.FormatCount(s.profiles)
		want[name+"/of_entrants"] = mapview.FormatShare(float64(s.profiles) / float64(entrants))
		want[name+"/median_dwell_seconds"], want[name+"/mean_dwell_seconds"] = "–", "–"
		if len(s.dwells) > 0 {
			want[name+"/median_dwell_seconds"] = mapview.FormatDuration(s.median())
			want[name+"/mean_dwell_seconds"] = mapview.FormatDuration(s.mean())
		}
		if i < len(stages)-1 {
			want[name+"/conversion"] = mapview.FormatShare(float64(s.wentOn) / float64(s.profiles))
			want[name+"/went_on"] = mapview.FormatCount(s.wentOn)
			want[name+"/not_yet"] = mapview.FormatCount(s.profiles - s.wentOn)
		}
	}
	for key := range o.cells {
		channel, _, _ := strings.Cut(key, "/")
		channels[channel] = true
	}
	for channel := range channels {
		for _, stage := range stages {
			want["cell/"+channel+"/"+stage] = expectedCell(o.cells[channel+"/"+stage], channel, stage, profiles[stage])
		}
	}
	for key, n := range o.days {
		day, stage, _ := strings.Cut(key, "/")
		if at, err := time.Parse(time.DateOnly, day); err == nil && stage == focus {
			want["day/"+day] = strings.ReplaceAll(at.Format("2 Jan"), " ", "\u00a0") + ": " + mapview.FormatShare(float64(n[1])/float64(n[0])) + ", " +
				mapview.FormatCount(n[1]) + " of " + mapview.FormatCount(n[0]) + " went on"
		}
	}
	want["footer/touchpoints"] = mapview.FormatCount(o.points)
	want["footer/total_profiles"] = mapview.FormatCount(entrants)
	return want
}

func expectedCell(c cellTruth, channel, stage string, ofStage uint64) string {
	where := mapview.ChannelName(channel) + ", " + stage + ": "
	if c.profiles == 0 {
		return "– | " + where + "none"
	}
	unit := func(n uint64, noun string) string {
		if n == 1 {
			return "1 " + noun
		}
		return mapview.FormatCount(n) + " " + noun + "s"
	}
	text := mapview.FormatCount(c.profiles) + " | " + where + unit(c.profiles, "profile") + ", " +
		mapview.FormatShare(float64(c.profiles)/float64(ofStage)) + " of the stage, " + unit(c.touchpoints, "touchpoint")
	if c.dwell >= 0 {
		text += ", mean dwell " + mapview.FormatDuration(c.dwell)
	}
	return text
}

//nolint:contextcheck // the servers live as long as the test, the tab has a context of its own
func TestPageStates(t *testing.T) {
	conn, env := connect(t)
	migrateShop(t.Context(), t, conn, env.Namespace)
	tab := browser(t)
	state := `document.documentElement.dataset.state`
	band := `document.querySelector(".band")?.innerText ?? ""`

	t.Run("no data", func(t *testing.T) {
		_, url := start(t, Options{Namespace: env.Namespace, DSN: env.DSN})
		openPage(tab, t, url)
		require.Equal(t, "empty", js[string](tab, t, state))
		require.Contains(t, js[string](tab, t, band), "No touchpoints yet.")
		screenshot(tab, t, "empty")
	})
	t.Run("warehouse away", func(t *testing.T) {
		_, url := start(t, Options{Namespace: env.Namespace, DSN: "clickhouse://127.0.0.1:1/x"})
		openPage(tab, t, url+"/?range=7d")
		require.Equal(t, "error", js[string](tab, t, state))
		require.Contains(t, js[string](tab, t, band), "The warehouse cannot be reached.")
		require.Contains(t, js[string](tab, t, `document.querySelector(".top").innerText`), "Journey map", "the frame stays")
		require.Equal(t, "7 days", js[string](tab, t, `document.querySelector(".seg :checked + span").innerText`), "the filters stay")
		screenshot(tab, t, "error")
	})
	t.Run("warehouse goes away and comes back", func(t *testing.T) {
		seedShop(t.Context(), t, conn, env.Namespace, 200, 3)
		road := newRoad(t, env.DSN)
		_, url := start(t, Options{Namespace: env.Namespace, DSN: road.dsn})
		openPage(tab, t, url)
		before := js[map[string]string](tab, t, readPage)
		road.close()
		require.NoError(t, chromedp.Do(tab, chromedp.WaitReady(chromedp.CSS(`html[data-state="stale"]`))))
		require.Contains(t, js[string](tab, t, band), "The warehouse cannot be reached.")
		require.Equal(t, before, js[map[string]string](tab, t, readPage), "the numbers stay")
		screenshot(tab, t, "stale")
		road.open()
		require.NoError(t, chromedp.Do(tab,
			chromedp.Click(chromedp.CSS(".band .way")),
			chromedp.WaitReady(chromedp.CSS(`html[data-state="live"]`)),
		))
	})
	t.Run("a day without entries is a gap in the line", func(t *testing.T) {
		_, url := start(t, Options{Namespace: env.Namespace, DSN: env.DSN})
		require.NoError(t, conn.Exec(t.Context(), "ALTER TABLE "+env.Namespace+".transitions DELETE WHERE toDate(at) IN ('2026-11-11', '2026-11-12') SETTINGS mutations_sync = 1"))
		openPage(tab, t, url+"/?from=2026-11-09&to=2026-11-16&stage=awareness")
		require.Equal(t, int64(5), js[int64](tab, t, `document.querySelectorAll(".plot .pt").length`))
		lengths := js[[]int64](tab, t, `[...document.querySelectorAll(".plot .ln1")].map((p) => p.getAttribute("d").split(/[ML]/).length - 1)`)
		require.Equal(t, []int64{2, 3}, lengths, "two lines: over two days and over three")
	})
	t.Run("a wrong range is told", func(t *testing.T) {
		_, url := start(t, Options{Namespace: env.Namespace, DSN: env.DSN})
		openPage(tab, t, url+"/?from=yesterday")
		require.Contains(t, js[string](tab, t, band), "The parameter from must be a day")
	})
}

func TestPageIsUsable(t *testing.T) {
	conn, env := connect(t)
	seedShop(t.Context(), t, conn, env.Namespace, 1400, 60)
	_, url := start(t, Options{Namespace: env.Namespace, DSN: env.DSN})
	tab := browser(t)
	openPage(tab, t, url)

	t.Run("fits every width in both themes", func(t *testing.T) {
		defer func() { require.NoError(t, chromedp.Do(tab, chromedp.EmulateViewport(1440, 900))) }()
		for _, theme := range []string{"light", "dark"} {
			js[any](tab, t, `document.documentElement.dataset.theme = "`+theme+`"`)
			for _, width := range []int64{1440, 1180, 1001, 760, 390} {
				require.NoError(t, chromedp.Do(tab, chromedp.EmulateViewport(width, 900)))
				require.LessOrEqual(t, js[int64](tab, t, `document.documentElement.scrollWidth`), width, "nothing sticks out")
				require.Empty(t, js[[]string](tab, t, cutOff), "no number is cut off or leaves its cell at %d", width)
				screenshot(tab, t, theme+"-"+strconv.FormatInt(width, 10))
			}
		}
		js[any](tab, t, `delete document.documentElement.dataset.theme`)
	})
	t.Run("heat cells by keyboard", func(t *testing.T) {
		require.NoError(t, chromedp.Do(tab,
			chromedp.Focus(chromedp.CSS(`.heat td[tabindex="0"]`)),
			chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.ArrowRight),
		))
		focused := js[string](tab, t, `document.activeElement.getAttribute("aria-label")`)
		require.Contains(t, focused, "purchase: ")
		require.Equal(t, focused, js[string](tab, t, `document.querySelector(".chan .ln").textContent`))
	})
	t.Run("another stage and a table, kept in the address", func(t *testing.T) {
		require.NoError(t, chromedp.Do(tab, chromedp.Click(chromedp.CSS(`[data-stage="consideration"] h2 button`))))
		require.Equal(t, "?stage=consideration", js[string](tab, t, `location.search`))
		require.Equal(t, "Consideration by day", js[string](tab, t, `document.querySelector(".lane.days .lt").textContent`))
		require.NoError(t, chromedp.Do(tab, chromedp.Click(chromedp.CSS(`.acts button`)), chromedp.WaitReady(chromedp.CSS(`table[data-table="daily"]`))))
		require.Equal(t, "?stage=consideration&view=table", js[string](tab, t, `location.search`))
		require.Equal(t, int64(6), js[int64](tab, t, `document.querySelectorAll('table[data-table="stages"] tbody tr').length`))
		screenshot(tab, t, "table")
		require.NoError(t, chromedp.Do(tab, chromedp.NavigateBack(), chromedp.WaitReady(chromedp.CSS(`table.heat`))))
	})
	t.Run("pause stops the refresh", func(t *testing.T) {
		require.NoError(t, chromedp.Do(tab, chromedp.Click(chromedp.CSS(`.tools button`)), chromedp.WaitReady(chromedp.CSS(`html[data-state="paused"]`))))
		drawn := js[string](tab, t, `document.documentElement.dataset.ready`)
		require.NoError(t, chromedp.Do(tab, chromedp.Click(chromedp.CSS(`.tools button`)), chromedp.WaitReady(chromedp.CSS(`html[data-state="live"]`)),
			chromedp.WaitReady(chromedp.CSS(`html:not([data-ready="`+drawn+`"])`))))
	})
}

// cutOff lists the numbers that do not fit where they stand.
const cutOff = `[...document.querySelectorAll("[data-number], .heat td, .lane h2 button")].filter((e) => {
	if (!e.offsetParent) return false;
	const box = e.closest(".c, td, p") ?? e, inner = e.getBoundingClientRect(), outer = box.getBoundingClientRect();
	return e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== "inline" || inner.right > outer.right + 0.5 || inner.left < outer.left - 0.5;
}).map((e) => e.outerHTML)`
