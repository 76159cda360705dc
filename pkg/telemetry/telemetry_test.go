package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLogsAreJSONOffATerminal(t *testing.T) {
	var out bytes.Buffer
	log, err := NewLogger(&out, "", "")
	require.NoError(t, err)
	log.Debug("below the level")
	log.With(zap.String("topic", "t")).Info("hello", zap.Int("n", 3))
	var line map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &line), out.String())
	require.Equal(t, "hello", line["msg"])
	require.Equal(t, "t", line["topic"])
	require.EqualValues(t, 3, line["n"])
	require.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`, line["time"])
}

func TestLogSettingsAreChecked(t *testing.T) {
	_, err := NewLogger(io.Discard, "loud", "")
	require.ErrorContains(t, err, `log.level is "loud"`)
	_, err = NewLogger(io.Discard, "info", "xml")
	require.ErrorContains(t, err, `log.format is "xml"`)
	_, err = NewLogger(io.Discard, "error", FormatConsole)
	require.NoError(t, err)
}

func TestReadyzNamesWhatIsMissing(t *testing.T) {
	var h Health
	kafka := errors.New("127.0.0.1:9 refuses connections")
	h.Register("kafka", func() error { return kafka })
	h.Register("clickhouse", func() error { return nil })

	code, r := probe(t, h.Handler(), "/readyz")
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.Equal(t, Report{
		Status:  "not_ready",
		Missing: map[string]string{"kafka": kafka.Error()},
		Checks:  map[string]string{"kafka": kafka.Error(), "clickhouse": "ok"},
	}, r)
	require.EqualError(t, h.Err(), "kafka: "+kafka.Error())

	kafka = nil
	code, r = probe(t, h.Handler(), "/readyz")
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, "ok", r.Status)
	require.NoError(t, h.Err())

	h.Drain()
	code, r = probe(t, h.Handler(), "/readyz")
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.Equal(t, "draining", r.Status)
	require.ErrorContains(t, h.Err(), "shutting down")
}

func TestLivezIsAboutTheProcessOnly(t *testing.T) {
	var h Health
	h.Register("kafka", func() error { return errors.New("down") })
	code, _ := probe(t, h.Handler(), "/livez")
	require.Equal(t, http.StatusOK, code)
	h.RegisterLive("loop", func() error { return errors.New("stuck for 2m0s") })
	code, r := probe(t, h.Handler(), "/livez")
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.Equal(t, "stuck for 2m0s", r.Missing["loop"])
}

func TestAdminServesUntilTheContextEnds(t *testing.T) {
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	reg := prometheus.NewRegistry()
	reg.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "cairn_test_value", Help: "A test."}))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- Admin(ctx, ln, new(Health), reg, zap.NewNop()) }()

	base := "http://" + ln.Addr().String()
	require.Contains(t, get(t, base+"/metrics"), "cairn_test_value 0")
	require.Contains(t, get(t, base+"/readyz"), `"status":"ok"`)
	require.Contains(t, get(t, base+"/debug/pprof/"), "goroutine", "on loopback")

	cancel()
	require.NoError(t, <-done)
	_, err = new(net.Dialer).DialContext(t.Context(), "tcp", ln.Addr().String())
	require.Error(t, err)
}

func TestProfilesStayOnTheMachine(t *testing.T) {
	h := AdminHandler(new(Health), prometheus.NewRegistry(), false)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/debug/pprof/", nil))
	require.Equal(t, http.StatusNotFound, w.Code)
	require.False(t, isLoopback(&net.TCPAddr{IP: net.IPv6zero}))
}

func probe(t *testing.T, h http.Handler, path string) (int, Report) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	var r Report
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &r))
	return w.Code, r
}

func get(t *testing.T, url string) string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	return string(body)
}
