package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/app"
	"github.com/cairnhq/cairn/pkg/stream"
)

// output is a stream that may be read while it is written.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// run runs a command line in a folder without a configuration and returns its
// exit code and output.
func run(t *testing.T, env map[string]string, line ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, complaints output
	code = Main(t.Context(), line, Streams{In: strings.NewReader(""), Out: &out, Err: &complaints}, lookup(env))
	return code, out.String(), complaints.String()
}

func lookup(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := env[name]
		return v, ok
	}
}

// shopBroker starts a broker with the namespace "shop".
func shopBroker(t *testing.T) (address string, cl *kgo.Client) {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	cl, err = stream.NewClient(stream.Cluster{Brokers: c.ListenAddrs()}, "test", nil, nil)
	require.NoError(t, err)
	t.Cleanup(cl.Close)
	require.NoError(t, stream.EnsureTopics(t.Context(), cl, "shop", stream.TopicOptions{Partitions: 2, Replication: 1, Embedded: true}))
	return c.ListenAddrs()[0], cl
}

func TestMistakesAreOneSentence(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("bad.yaml", []byte("kafka:\n  borkers: [a:1]\n"), 0o600))
	require.NoError(t, os.WriteFile("model.yaml", []byte("version: 1\nstagse: []\n"), 0o600))
	cases := []struct {
		line string
		code int
		want string
	}{
		{"frobnicate", 2, `cairn: there is no command "frobnicate": see 'cairn --help'`},
		{"improt", 2, `cairn: there is no command "improt": did you mean 'cairn import'?`},
		{"lag --frob", 2, `cairn: unknown flag: --frob: see 'cairn lag --help'`},
		{"lag extra", 2, `cairn: cairn lag takes no arguments but got "extra": see 'cairn lag --help'`},
		{"lag --output xml", 2, `cairn: --output is "xml": want text or json`},
		{"config frob", 2, `cairn: there is no command "frob": see 'cairn config --help'`},
		{"import", 2, `cairn: cairn import wants at least one file, or - for standard input: see 'cairn import --help'`},
		{"import x --kafka a:1 --collector http://b", 2, `cairn: --kafka and --collector exclude each other: give one`},
		{"import x --collector http://b", 2, `cairn: --collector wants a --write-key too`},
		{"import x --collector b --write-key k", 2, `cairn: the collector's URL is "b": want http://host:port`},
		{"import x --write-key k", 2, `cairn: --write-key goes with --collector: Kafka asks for none`},
		{"import x --format csv", 2, `cairn: --format is "csv": want auto, access or ndjson`},
		{"tail", 2, `cairn: cairn tail wants the name of one topic, as in 'cairn tail transitions': see 'cairn tail --help'`},
		{"tail x --max -1", 2, `cairn: --max is -1: want 0 or more`},
		{"lag --kafka nowhere", 2, `cairn: --kafka: kafka.brokers holds "nowhere": want host:port`},
		{"lag --config none.yaml", 1, `cairn: read the configuration: open none.yaml: no such file or directory`},
		{"lag --config bad.yaml", 1, `cairn: bad.yaml:2:3: unknown setting kafka.borkers: did you mean kafka.brokers?`},
		{"lag --kafka 127.0.0.1:1", 1, `cairn: kafka at 127.0.0.1:1 is not reachable: dial tcp 127.0.0.1:1: connect: connection refused (is cairn up running? else say where with --kafka)`},
		{"tail x --kafka 127.0.0.1:1", 1, `cairn: kafka at 127.0.0.1:1 is not reachable: dial tcp 127.0.0.1:1: connect: connection refused (is cairn up running? else say where with --kafka)`},
		{"import x --kafka 127.0.0.1:1", 1, `cairn: kafka at 127.0.0.1:1 is not reachable: dial tcp 127.0.0.1:1: connect: connection refused (is cairn up running? else say where with --kafka)`},
		{
			"verify --clickhouse clickhouse://u:hush@127.0.0.1:1", 1,
			`cairn: clickhouse at 127.0.0.1:1 is not reachable: dial tcp 127.0.0.1:1: connect: connection refused (is cairn up running? else say where with --clickhouse)`,
		},
		{"healthcheck --url http://127.0.0.1:1/readyz", 1, `cairn: dial tcp 127.0.0.1:1: connect: connection refused`},
	}
	for _, c := range cases {
		t.Run(c.line, func(t *testing.T) {
			code, stdout, stderr := run(t, nil, strings.Fields(c.line)...)
			require.Equal(t, c.want+"\n", stderr)
			require.Empty(t, stdout)
			require.Equal(t, c.code, code)
		})
	}
}

func TestEveryCommandHasHelpWithAnExample(t *testing.T) {
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			if sub.Name() == "help" || sub.Name() == "completion" {
				continue
			}
			require.NotEmpty(t, sub.Short, sub.CommandPath())
			require.Contains(t, sub.Example, sub.CommandPath(), "%s has no example of itself", sub.CommandPath())
			walk(sub)
		}
	}
	root := newRoot(&shell{Streams: Streams{Out: new(output), Err: new(output)}, lookupEnv: lookup(nil)})
	root.InitDefaultCompletionCmd()
	walk(root)
}

func TestConfigCheckSaysAllAtOnce(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	require.NoError(t, os.WriteFile("cairn.yaml", []byte("namespace: shop\nidentity: {secret: '${NO_SUCH}'}\nlog: {levle: info}\n"), 0o600)) //nolint:misspell // the mistake to find
	code, _, stderr := run(t, nil, "config", "check")
	require.Equal(t, 1, code)
	require.Equal(t, "cairn: cairn.yaml:2:20: ${NO_SUCH} has no value: set the environment variable NO_SUCH\n"+
		"cairn: cairn.yaml:3:7: unknown setting log.levle: did you mean log.level?\n", stderr)

	code, stdout, _ := run(t, map[string]string{"CAIRN_CONFIG": filepath.Join(dir, "none")}, "config", "check")
	require.Equal(t, 1, code)
	require.Empty(t, stdout)

	require.NoError(t, os.WriteFile("cairn.yaml", []byte("namespace: shop\n"), 0o600))
	code, stdout, stderr = run(t, nil, "config", "check")
	require.Equal(t, 0, code, stderr)
	require.Contains(t, stdout, "the configuration is fine; journey model shop")

	require.NoError(t, os.WriteFile("journey.yaml", []byte("version: 1\nstagse: []\n"), 0o600))
	code, _, stderr = run(t, nil, "config", "check", "--model", "journey.yaml")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "cairn: journey.yaml:2:1: ")
}

func TestConfigPrint(t *testing.T) {
	t.Chdir(t.TempDir())
	env := map[string]string{"CAIRN_IDENTITY_SECRET": "hush", "CAIRN_NAMESPACE": "shop"}
	code, stdout, _ := run(t, env, "config", "print", "--redact", "--log-level", "debug")
	require.Equal(t, 0, code)
	require.Contains(t, stdout, "namespace: shop\n")
	require.Contains(t, stdout, "level: debug\n")
	require.Contains(t, stdout, "secret: REDACTED\n")
	require.NotContains(t, stdout, "hush")

	_, stdout, _ = run(t, env, "config", "print", "--redact", "--origin")
	require.Regexp(t, `identity\.secret +REDACTED +CAIRN_IDENTITY_SECRET`, stdout)

	_, stdout, _ = run(t, env, "config", "print", "--output", "json", "--log-level", "debug")
	var settings []app.Setting
	require.NoError(t, json.Unmarshal([]byte(stdout), &settings))
	require.Contains(t, settings, app.Setting{
		Key: "log.level", Value: "debug", Origin: "--log-level", Env: "CAIRN_LOG_LEVEL", Help: "debug, info, warn or error",
	})
}

func TestVersion(t *testing.T) {
	code, stdout, _ := run(t, nil, "version")
	require.Equal(t, 0, code)
	require.True(t, strings.HasPrefix(stdout, "cairn "))
	_, stdout, _ = run(t, nil, "version", "--output", "json")
	var v buildInfo
	require.NoError(t, json.Unmarshal([]byte(stdout), &v))
	require.NotEmpty(t, v.Go)
}

func TestImportTailAndLag(t *testing.T) {
	t.Chdir(t.TempDir())
	address, cl := shopBroker(t)
	log := `192.0.2.7 - - [02/Feb/2026:10:00:00 +0000] "GET /a HTTP/1.1" 200 10 "-" "agent"` + "\nnonsense\n"
	require.NoError(t, os.WriteFile("a.log", []byte(log), 0o600))
	env := map[string]string{"CAIRN_NAMESPACE": "shop", "CAIRN_KAFKA_BROKERS": address}

	code, stdout, stderr := run(t, env, "import", "a.log", "--output", "json")
	require.Equal(t, 0, code, stderr)
	require.JSONEq(t, `{"lines":2,"sent":1,"malformed":1,"blank":0,"too_long":0,
		"files":[{"file":"a.log","lines":2,"sent":1,"malformed":1,"blank":0,"too_long":0}]}`, stdout)
	require.Equal(t, "a.log:2:9: want a time in brackets, as in [17/May/2015:10:05:03 +0000]\n", stderr)

	code, stdout, stderr = run(t, env, "tail", "touchpoints.raw", "--from-beginning")
	require.Equal(t, 0, code, stderr)
	require.Equal(t, 2, strings.Count(stdout, "\n"))
	require.Contains(t, stdout, `"messageId":`)
	require.Contains(t, stdout, `"value":"nonsense","encoding":"text"`)

	code, stdout, stderr = run(t, env, "lag", "--output", "json")
	require.Equal(t, 0, code, stderr)
	var lags []map[string]any
	require.NoError(t, json.Unmarshal([]byte(stdout), &lags))
	require.Equal(t, "shop.device", lags[0]["group"])
	require.Nil(t, lags[0]["lag"], "no commit")

	code, stdout, _ = run(t, env, "lag", "--namespace", "other", "--output", "json")
	require.Equal(t, 0, code)
	require.Equal(t, "[]\n", stdout)
	cl.Close()
}

func TestLagExceeded(t *testing.T) {
	address, cl := shopBroker(t)
	old := &kgo.Record{Topic: "shop.touchpoints.raw", Value: []byte("{}"), Timestamp: time.Now().Add(-time.Hour)}
	require.NoError(t, cl.ProduceSync(t.Context(), old).FirstErr())
	// A consumer that committed at the start, and left.
	member, err := stream.NewClient(stream.Cluster{Brokers: []string{address}}, "test", nil, nil,
		kgo.ConsumeTopics("shop.touchpoints.raw"), kgo.ConsumerGroup("shop.device"), kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	member.PollFetches(t.Context())
	member.CommitOffsetsSync(t.Context(), map[string]map[int32]kgo.EpochOffset{"shop.touchpoints.raw": {0: {Epoch: -1}, 1: {Epoch: -1}}}, nil)
	member.Close()

	args := []string{"lag", "--kafka", address, "--namespace", "shop"}
	code, _, _ := run(t, nil, args...)
	require.Equal(t, 0, code, "nobody asked for a limit")
	code, _, _ = run(t, nil, append(args, "--max-lag-seconds", "7200")...)
	require.Equal(t, 0, code)
	code, stdout, stderr := run(t, nil, append(args, "--max-lag-seconds", "60")...)
	require.Equal(t, 3, code)
	require.Contains(t, stderr, "cairn: group shop.device is 3600.")
	require.Contains(t, stdout, "no_consumers")
}

func TestAServiceRunsUntilToldToStop(t *testing.T) {
	t.Chdir(t.TempDir())
	address, _ := shopBroker(t)
	var out, log output
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int)
	go func() {
		ended <- Main(ctx, []string{"monitor", "--kafka", address, "--namespace", "shop", "--admin-addr", "127.0.0.1:0"},
			Streams{Out: &out, Err: &log}, lookup(nil))
	}()
	url := adminURL(t, &log)
	require.Eventually(t, func() bool {
		code, _, _ := run(t, nil, "healthcheck", "--url", url+"/readyz")
		return code == 0
	}, 20*time.Second, 20*time.Millisecond, log.String())
	stop()
	require.Equal(t, 0, <-ended, log.String())
	require.Contains(t, log.String(), `"msg":"stopped"`)
}

func TestAMissingKafkaIsNamedAndEndsIt(t *testing.T) {
	t.Chdir(t.TempDir())
	var log output
	ended := make(chan int)
	go func() {
		ended <- Main(t.Context(), []string{"monitor", "--kafka", "127.0.0.1:1", "--admin-addr", "127.0.0.1:0", "--startup-timeout", "3s"},
			Streams{Out: new(output), Err: &log}, lookup(nil))
	}()
	url := adminURL(t, &log)
	code, _, stderr := run(t, nil, "healthcheck", "--url", url+"/readyz")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "cairn: kafka: not ")
	require.Equal(t, 1, <-ended)
	require.Contains(t, log.String(), "cairn: monitor: kafka at 127.0.0.1:1 is not reachable after 3s: dial tcp 127.0.0.1:1: connect: connection refused\n")
}

func TestAPortInUseNamesTheFlag(t *testing.T) {
	t.Chdir(t.TempDir())
	taken, err := app.Listen(t.Context(), "", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	env := map[string]string{"CAIRN_COLLECTOR_WRITE_KEYS": "k:web"}
	for flag, line := range map[string][]string{
		"--admin-addr": {"collector", "--admin-addr", taken.Addr().String()},
		"--addr":       {"collector", "--addr", taken.Addr().String(), "--admin-addr", "127.0.0.1:0"},
	} {
		code, _, stderr := run(t, env, line...)
		require.Equal(t, 1, code)
		require.Contains(t, stderr, "cairn: "+taken.Addr().String()+" is in use by another process: choose another address with "+flag+" (port 0 picks a free one)\n")
	}
}

func TestServicesAskForTheirSecrets(t *testing.T) {
	t.Chdir(t.TempDir())
	for command, setting := range map[string]string{"collector": "collector.write_keys", "sessionizer": "identity.secret"} {
		code, _, stderr := run(t, nil, command, "--admin-addr", "127.0.0.1:0")
		require.Equal(t, 1, code)
		require.Contains(t, stderr, "cairn: "+setting+" is not set: ")
	}
}

// adminURL reads the admin server's address off the log.
func adminURL(t *testing.T, log *output) string {
	t.Helper()
	var line struct{ Admin string }
	require.Eventually(t, func() bool {
		first, _, found := strings.Cut(log.String(), "\n")
		return found && json.Unmarshal([]byte(first), &line) == nil && line.Admin != ""
	}, 10*time.Second, 10*time.Millisecond)
	return "http://" + line.Admin
}
