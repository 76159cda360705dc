//go:build linux

package e2e

import (
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// sentences are the lines in which a command says what went wrong.
func sentences(r result) []string {
	var out []string
	for line := range strings.SplitSeq(r.stderr, "\n") {
		if s, ok := strings.CutPrefix(line, "cairn: "); ok {
			out = append(out, s)
		}
	}
	return out
}

// sentence is the only one there may be.
func sentence(t *testing.T, r result) string {
	t.Helper()
	all := sentences(r)
	require.Len(t, all, 1, "one clear sentence:\n%s", r.stderr)
	return all[0]
}

func TestUpRefusesWhatIsInUse(t *testing.T) {
	data := t.TempDir()
	m := up(t, data)

	t.Run("the data folder", func(t *testing.T) {
		r := run(t, append([]string{"up", "--data", data}, freePorts()...)...)
		require.Equal(t, 1, r.code, r.stderr)
		said := sentence(t, r)
		require.Contains(t, said, data)
		require.Contains(t, said, "in use by another process")
	})
	ch, err := url.Parse(m.ClickHouse)
	require.NoError(t, err)
	for flag, addr := range map[string]string{
		"--collector-addr": host(t, m.Collector), "--console-addr": host(t, m.Console), "--admin-addr": host(t, m.Admin),
		"--kafka-port": m.Kafka, "--clickhouse-port": ch.Host, "--clickhouse-http-port": host(t, m.ClickHouseHTTP),
	} {
		t.Run("the port of "+flag, func(t *testing.T) {
			_, port, err := net.SplitHostPort(addr)
			require.NoError(t, err)
			value := addr
			if strings.HasSuffix(flag, "-port") {
				value = port
			}
			other := filepath.Join(t.TempDir(), "data")
			r := run(t, append(append([]string{"up", "--data", other}, freePorts()...), flag, value)...)
			require.Equal(t, 1, r.code, r.stderr)
			said := sentence(t, r)
			require.Contains(t, said, port)
			require.Contains(t, said, "in use")
			require.Contains(t, said, flag)
		})
	}
	// Nothing of this has hurt the one that runs.
	m.sendLive(1)
	m.rest()
	require.Equal(t, books{Accepted: 1, Touchpoints: 1}, m.accounts(m.sql()))
	m.stop()
}

func host(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	return u.Host
}
