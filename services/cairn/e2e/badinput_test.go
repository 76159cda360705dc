//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
)

// nowhere is an address of this machine that nothing listens on.
func nowhere(t *testing.T) string {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = ln.Close() }()
	return ln.Addr().String()
}

// What a service cannot reach it names in one sentence, and ends with 1 after
// the time that it was given.
func TestUnreachableServers(t *testing.T) {
	kafkaGone, clickhouseGone := nowhere(t), nowhere(t)
	const secret = "CAIRN_IDENTITY_SECRET=of-this-test"
	kafka, ch := []string{"--kafka", kafkaGone}, []string{"--clickhouse", "clickhouse://someone:hush-hush@" + clickhouseGone + "/cairn"}
	for name, c := range map[string]struct {
		args []string
		said string
	}{
		"collector without Kafka":        {append([]string{"collector", "--addr", "127.0.0.1:0"}, kafka...), kafkaGone},
		"sessionizer without Kafka":      {append([]string{"sessionizer"}, kafka...), kafkaGone},
		"sink without Kafka":             {append(append([]string{"sink"}, kafka...), ch...), kafkaGone},
		"monitor without Kafka":          {append([]string{"monitor"}, kafka...), kafkaGone},
		"console without ClickHouse":     {append([]string{"console", "--addr", "127.0.0.1:0"}, ch...), clickhouseGone},
		"migrate without ClickHouse":     {append([]string{"migrate"}, ch...), clickhouseGone},
		"cairn up without its Kafka":     {append(append([]string{"up"}, freePorts()...), kafka...), kafkaGone},
		"cairn up without its warehouse": {append(append([]string{"up"}, freePorts()...), ch...), clickhouseGone},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // they only wait
			args := append(c.args, "--startup-timeout", "2s")
			if c.args[0] != "up" && c.args[0] != "migrate" {
				args = append(args, "--admin-addr", "127.0.0.1:0")
			}
			r := runCommand(t, command{args: args, env: []string{secret, "CAIRN_COLLECTOR_WRITE_KEYS=k:shop"}})
			require.Equal(t, 1, r.code, r.stderr)
			said := sentence(t, r)
			require.Contains(t, said, c.said)
			require.Contains(t, said, "not reachable after 2s")
			require.NotContains(t, r.stderr, "hush-hush", "a password in the log")
		})
	}
}

// While it waits, /readyz says for what.
func TestReadyzNamesWhatIsMissing(t *testing.T) {
	kafkaGone := nowhere(t)
	p := start(t, command{args: []string{"sink", "--kafka", kafkaGone, "--clickhouse", "clickhouse://" + nowhere(t) + "/cairn", "--admin-addr", "127.0.0.1:0"}})
	admin := p.admin()
	eventually(t, "/readyz", func(ctx context.Context) error {
		status, body, err := get(ctx, "http://"+admin+"/readyz")
		switch {
		case err != nil:
			return err
		case status != http.StatusServiceUnavailable || !strings.Contains(body, kafkaGone) || !strings.Contains(body, `"kafka"`):
			return fmt.Errorf("%d %s", status, body)
		}
		return nil
	})
	r := run(t, "healthcheck", "--url", "http://"+admin+"/readyz")
	require.Equal(t, 1, r.code)
	require.Contains(t, r.stderr, "kafka")
	status, _, err := get(t.Context(), "http://"+admin+"/livez")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status, "it lives and waits")
	p.stop() // and lets itself be stopped
}

func get(ctx context.Context, url string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

func TestConfigurationMistakesHaveAPlace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cairn.yaml")
	require.NoError(t, os.WriteFile(file, []byte("namespace: shop\nkafka:\n  brokers: [a:9092]\n  broker: b:9092\nsink:\n  flush_interval: soon\n"), 0o600))
	for _, command := range [][]string{{"config", "check"}, {"up"}, {"sink"}} {
		r := run(t, append(command, "--config", file)...)
		require.NotZero(t, r.code)
		said := sentences(r)
		require.Len(t, said, 2, r.stderr)
		require.Contains(t, said[0], file+":4:3")
		require.Contains(t, said[0], "broker")
		require.Contains(t, said[1], file+":6:19")
		require.Contains(t, said[1], "soon")
	}
}

// Malformed lines have a place, are kept whole, and hold nothing up.
func TestMalformedInputIsKeptWhole(t *testing.T) {
	m := up(t, t.TempDir())
	conn := m.sql()
	const good = `10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1 "-" "x"`
	file := writeLines(t, "access.log", []string{good, "this is \x00 no \xff line", good, good[:40]})
	r := run(t, "import", file, "--kafka", m.Kafka, "--output", "json")
	require.Zero(t, r.code, r.stderr)
	var s summary
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &s))
	require.Equal(t, summary{Lines: 4, Sent: 2, Malformed: 2}, s)
	require.Regexp(t, `(?m)^`+file+`:2:\d+: `, r.stderr)
	require.Regexp(t, `(?m)^`+file+`:4:\d+: `, r.stderr)

	// And what others write to Kafka, with another client.
	w := &kafka.Writer{Addr: kafka.TCP(m.Kafka), Topic: "cairn.touchpoints.raw", RequiredAcks: kafka.RequireAll, BatchSize: 1, MaxAttempts: 20}
	defer func() { _ = w.Close() }()
	bad := []string{"", "{", `{"type":"track"}`, `[1,2]`, "\xff\xfe\x00", `{"type":"track","event":"e","anonymousId":"a","timestamp":"soon"}`}
	for _, b := range bad {
		require.NoError(t, w.WriteMessages(t.Context(), kafka.Message{Key: []byte("a"), Value: []byte(b)}))
	}
	require.NoError(t, w.WriteMessages(t.Context(), kafka.Message{
		Key: []byte("a"), Value: []byte(`{"type":"track","event":"e","anonymousId":"a","messageId":"m","timestamp":"2026-01-02T03:04:05Z"}`),
	}))
	m.rest()
	require.Equal(t, books{Accepted: 11, Touchpoints: 2, Rejected: 8, Late: 1}, m.accounts(conn), "January is beyond the horizon")
	for _, value := range append(bad, "this is \x00 no \xff line", good[:40]) {
		var found uint64
		var reason, origin string
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(), any(reason), any(origin) FROM cairn.rejected FINAL WHERE hex(value) = ?",
			fmt.Sprintf("%X", value)).Scan(&found, &reason, &origin))
		require.Equal(t, uint64(1), found, "%q is kept whole, once", value)
		require.NotEmpty(t, reason)
		require.Regexp(t, `^cairn\.touchpoints\.raw/\d+/\d+$`, origin)
	}
	m.verified()
	m.stop()
}

// A missing engine is one sentence with a way out.
func TestMissingEngine(t *testing.T) {
	r := runCommand(t, command{args: append([]string{"up"}, freePorts()...), env: []string{"XDG_CACHE_HOME=" + t.TempDir()}})
	require.Equal(t, 1, r.code, r.stderr)
	said := sentence(t, r)
	require.Contains(t, said, "make deps")
	require.Contains(t, said, "--clickhouse")
}
