//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/stream"
)

// namespace is the default one.
const namespace = "cairn"

// machine is a running `cairn up`, or the servers that stand in for one.
type machine struct {
	*child
	Collector      string `json:"collector"`
	Console        string `json:"console"`
	Admin          string `json:"admin"`
	Kafka          string `json:"kafka"`
	ClickHouse     string `json:"clickhouse"`
	ClickHouseHTTP string `json:"clickhouse_http"`
	WriteKey       string `json:"write_key"`

	t         *testing.T
	namespace string
}

// freePorts are the flags of `cairn up` that let any number of them run.
func freePorts() []string {
	return []string{
		"--kafka-port", "0", "--clickhouse-port", "0", "--clickhouse-http-port", "0",
		"--collector-addr", "127.0.0.1:0", "--console-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0",
	}
}

// up starts `cairn up` on the folder and returns once it says that it is up.
func up(t *testing.T, data string, args ...string) *machine {
	t.Helper()
	args = append(append([]string{"up", "--data", data, "--output", "json"}, freePorts()...), args...)
	m := &machine{child: start(t, command{args: args}), t: t, namespace: namespace}
	eventually(t, "the banner of cairn up", func(context.Context) error {
		if m.ended() {
			t.Fatalf("cairn up has ended with %d:\n%s", m.wait(), m.stderr.tail(3000))
		}
		if !strings.Contains(m.stdout.String(), "\n") {
			return errors.New("nothing on standard output")
		}
		return nil
	})
	line, _, _ := strings.Cut(m.stdout.String(), "\n")
	require.NoError(t, json.Unmarshal([]byte(line), m), line)
	return m
}

// sql opens ClickHouse. Every query in this package goes through it, with the
// client that cairn's users would take.
func (m *machine) sql() clickhouse.Conn {
	m.t.Helper()
	o, err := clickhouse.ParseDSN(m.ClickHouse)
	require.NoError(m.t, err)
	conn, err := clickhouse.Open(o)
	require.NoError(m.t, err)
	m.t.Cleanup(func() { require.NoError(m.t, conn.Close()) })
	return conn
}

// number is the single number that a query returns.
func number(t *testing.T, conn clickhouse.Conn, query string, args ...any) uint64 {
	t.Helper()
	n, err := count(t.Context(), conn, query, args...)
	require.NoError(t, err)
	return n
}

func count(ctx context.Context, conn clickhouse.Conn, query string, args ...any) (uint64, error) {
	var n uint64
	if err := conn.QueryRow(ctx, query, args...).Scan(&n); err != nil {
		return 0, fmt.Errorf("%s: %w", query, err)
	}
	return n, nil
}

// rest waits until every step has worked off everything: one after the other,
// because each reads what the one before has written.
func (m *machine) rest() {
	m.t.Helper()
	cl, err := stream.NewClient(stream.Cluster{Brokers: strings.Split(m.Kafka, ",")}, "e2e", nil, nil)
	require.NoError(m.t, err)
	defer cl.Close()
	for _, group := range []struct {
		name   string
		topics []string
	}{
		{"device", []string{"touchpoints.raw"}},
		{"profile", []string{"touchpoints"}},
		{"sink", []string{
			"touchpoints", "sessions", "identities", "journeys", "transitions", "frictions", "quality", "touchpoints.rejected", "touchpoints.late",
		}},
	} {
		m.drained(cl, group.name, group.topics)
	}
}

// imported runs `cairn import`, which must succeed, and returns its summary.
func (m *machine) imported(args ...string) summary {
	m.t.Helper()
	r := run(m.t, append([]string{"import", "--kafka", m.Kafka, "--namespace", m.namespace, "--output", "json"}, args...)...)
	require.Zero(m.t, r.code, r.stderr)
	var s summary
	require.NoError(m.t, json.Unmarshal([]byte(r.stdout), &s), r.stdout)
	return s
}

// summary is what `cairn import` says.
type summary struct {
	Lines     int `json:"lines"`
	Sent      int `json:"sent"`
	Malformed int `json:"malformed"`
	Blank     int `json:"blank"`
	TooLong   int `json:"too_long"`
}
