package console

import (
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/services/console/mapview"
)

// nowhere is a DSN at which nothing listens.
const nowhere = "clickhouse://127.0.0.1:1/default"

// answered is the head of an answer.
type answered struct {
	status int
	header http.Header
}

// get asks without the transport's own decompression.
func get(t *testing.T, address string, header ...string) (head answered, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	r.Header.Set("Accept-Encoding", "identity")
	for i := 0; i < len(header); i += 2 {
		if r.Header.Set(header[i], header[i+1]); header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }()
	var in io.Reader = answer.Body
	if answer.Header.Get("Content-Encoding") == "gzip" {
		in, err = gzip.NewReader(answer.Body)
		require.NoError(t, err)
	}
	text, err := io.ReadAll(in)
	require.NoError(t, err)
	return answered{answer.StatusCode, answer.Header}, string(text)
}

func TestWrongParametersAreNamed(t *testing.T) {
	_, address := start(t, Options{Namespace: "shop", DSN: nowhere})
	for query, parameter := range map[string]string{
		"from=yesterday":                "from",
		"from=2026-13-01":               "from",
		"to=1677":                       "to",
		"to=1677-01-01":                 "to",
		"from=2026-02-02&to=2026-02-01": "to",
		"from=2026-02-02&to=2026-02-02": "to",
		"from=2026-02-02&from=":         "from",
		"format=xml":                    "format",
		"table=people":                  "table",
		"form=2026-02-02":               "form",
	} {
		answer, body := get(t, address+"/api/v1/journey-map?"+query)
		require.Equal(t, http.StatusBadRequest, answer.status, query)
		var e apiError
		require.NoError(t, json.Unmarshal([]byte(body), &e), query)
		require.Equal(t, parameter, e.Parameter, query)
		require.Regexp(t, `^[A-Z].*\.$`, e.Error, query)
	}
}

func TestWarehouseAwayIsOneSentence(t *testing.T) {
	s, address := start(t, Options{Namespace: "shop", DSN: "clickhouse://root:hunter2@127.0.0.1:1/default"})
	answer, body := get(t, address+"/api/v1/journey-map")
	require.Equal(t, http.StatusServiceUnavailable, answer.status)
	require.JSONEq(t, `{"error": "The warehouse cannot be reached."}`, body)
	require.Equal(t, "5", answer.header.Get("Retry-After"))
	require.ErrorContains(t, s.Ready(), "ClickHouse does not answer")
	require.NotContains(t, s.Ready().Error(), "hunter2")
}

func TestNamespaceWithoutViewsSaysMigrate(t *testing.T) {
	_, env := connect(t)
	s, address := start(t, Options{Namespace: env.Namespace, DSN: env.DSN})
	answer, body := get(t, address+"/api/v1/journey-map")
	require.Equal(t, http.StatusServiceUnavailable, answer.status)
	require.Contains(t, body, "run cairn migrate")
	require.NoError(t, s.Ready())
}

func TestBusyConsoleRefusesInsteadOfQueueing(t *testing.T) {
	s, address := start(t, Options{Namespace: "shop", DSN: nowhere, MaxQueries: 1})
	s.slots <- struct{}{}
	answer, body := get(t, address+"/api/v1/journey-map")
	require.Equal(t, http.StatusServiceUnavailable, answer.status)
	require.Contains(t, body, "busy")
	<-s.slots
}

func TestHeaders(t *testing.T) {
	_, address := start(t, Options{Namespace: "shop", DSN: nowhere})
	page, html := get(t, address+"/")
	require.Equal(t, http.StatusOK, page.status)
	require.Equal(t, "no-cache", page.header.Get("Cache-Control"))
	for _, path := range []string{"/", "/api/v1/journey-map", "/api/v1/nothing", "/nothing"} {
		answer, _ := get(t, address+path)
		require.Contains(t, answer.header.Get("Content-Security-Policy"), "default-src 'self'", path)
		require.Contains(t, answer.header.Get("Content-Security-Policy"), "frame-ancestors 'none'", path)
		require.Equal(t, "nosniff", answer.header.Get("X-Content-Type-Options"), path)
	}
	assets := 0
	for part := range strings.SplitSeq(html, `"`) {
		if !strings.HasPrefix(part, "/assets/") {
			continue
		}
		assets++
		plain, body := get(t, address+part)
		require.Equal(t, http.StatusOK, plain.status, part)
		require.Contains(t, plain.header.Get("Cache-Control"), "immutable", part)
		require.NotEmpty(t, plain.header.Get("Content-Type"), part)
		zipped, same := get(t, address+part, "Accept-Encoding", "br, gzip")
		require.Equal(t, "gzip", zipped.header.Get("Content-Encoding"), part)
		require.Equal(t, body, same, part)
		none, _ := get(t, address+part, "If-None-Match", plain.header.Get("ETag"))
		require.Equal(t, http.StatusNotModified, none.status, part)
	}
	require.Equal(t, 4, assets)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address+"/api/v1/journey-map", strings.NewReader("{}"))
	require.NoError(t, err)
	post, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, post.Body.Close())
	require.Equal(t, http.StatusMethodNotAllowed, post.StatusCode)
}

func TestStrangeHostIsRefused(t *testing.T) {
	_, address := start(t, Options{Namespace: "shop", DSN: nowhere, AllowedHosts: []string{"map.example"}})
	for host, want := range map[string]int{
		"localhost:8081": 200, "LOCALHOST": 200, "127.0.0.1": 200, "[::1]:9": 200, "shop.localhost": 200, "map.example": 200,
		"evil.example": 421, "localhost.evil.example": 421, "127.0.0.1.evil.example:8081": 421,
	} {
		answer, _ := get(t, address+"/", "Host", host)
		require.Equal(t, want, answer.status, host)
	}
}

func TestAnswersAreTheSameInEveryForm(t *testing.T) {
	conn, env := connect(t)
	seedShop(t.Context(), t, conn, env.Namespace, 150, 5)
	_, address := start(t, Options{Namespace: env.Namespace, DSN: env.DSN})
	query := address + "/api/v1/journey-map?from=2026-11-10&to=2026-11-20T12:00:00%2B02:00"
	want, err := mapview.Fetch(t.Context(), conn, env.Namespace, time.Date(2026, 11, 10, 0, 0, 0, 0, time.UTC), time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC))
	require.NoError(t, err)

	answer, body := get(t, query, "Accept-Encoding", "gzip")
	require.Equal(t, "gzip", answer.header.Get("Content-Encoding"))
	require.Equal(t, "no-store", answer.header.Get("Cache-Control"))
	var got mapview.Map
	require.NoError(t, json.Unmarshal([]byte(body), &got))
	want.GeneratedAt = got.GeneratedAt
	require.Equal(t, want, &got)

	answer, body = get(t, query, "Accept", "text/csv")
	require.Equal(t, "text/csv; charset=utf-8; header=present", answer.header.Get("Content-Type"))
	rows, err := csv.NewReader(strings.NewReader(body)).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 1+len(want.Channels)*len(want.Stages))
	require.Equal(t, []string{"channel", "stage", "touchpoints", "profiles", "share", "mean_dwell_seconds"}, rows[0])
	_, body = get(t, query+"&format=csv&table=stages")
	require.Equal(t, 7, strings.Count(body, "\r\n"))
	_, body = get(t, query+"&format=csv&table=daily")
	require.Equal(t, 1+len(want.Daily), strings.Count(body, "\r\n"))
}

func TestSmallCountsAreHiddenWhereAsked(t *testing.T) {
	conn, env := connect(t)
	seedShop(t.Context(), t, conn, env.Namespace, 150, 5)
	_, address := start(t, Options{Namespace: env.Namespace, DSN: env.DSN, MinCount: 10})
	_, body := get(t, address+"/api/v1/journey-map")
	var m mapview.Map
	require.NoError(t, json.Unmarshal([]byte(body), &m))
	hidden := 0
	for _, ch := range m.Channels {
		for _, c := range ch.Cells {
			require.True(t, c.Profiles.Hidden || c.Profiles.N == 0 || c.Profiles.N >= 10, c)
			if c.Profiles.Hidden {
				hidden++
				require.True(t, c.Touchpoints.Hidden)
				require.Nil(t, c.Share)
			}
		}
	}
	require.Positive(t, hidden)
}

func TestCSVCannotBeAFormula(t *testing.T) {
	m := &mapview.Map{
		Stages:   []mapview.Stage{{Stage: "awareness"}},
		Channels: []mapview.Channel{{Channel: `=HYPERLINK("//evil")`, Cells: []mapview.Cell{{Stage: "@sum", Profiles: mapview.Count{N: 3}}}}},
	}
	var b strings.Builder
	require.NoError(t, writeCSV(&b, m, tableChannels))
	require.Contains(t, b.String(), `"'=HYPERLINK(""//evil"")",'@sum,0,3,,`)
}

func TestOptionsAreChecked(t *testing.T) {
	_, err := New(t.Context(), Options{})
	require.ErrorContains(t, err, "no listener")
}
