package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// env is a stand-in for the process's environment.
func env(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := vars[name]
		return v, ok
	}
}

// file writes text as cairn.yaml into a fresh folder and returns its path.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cairn.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestEachLayerWinsOverTheOneBelow(t *testing.T) {
	yaml := file(t, "kafka:\n  brokers: [file:9092]\nlog:\n  level: debug\nnamespace: fromfile\n")
	vars := map[string]string{"CAIRN_KAFKA_BROKERS": "env:1, env:2", "CAIRN_LOG_LEVEL": "warn"}
	flags := map[string]FlagValue{"log.level": {"--log-level", "error"}}

	c, err := Load(Sources{})
	require.NoError(t, err)
	require.Equal(t, []string{"127.0.0.1:19092"}, c.Kafka.Brokers)
	require.False(t, c.IsSet("kafka.brokers"))

	c, err = Load(Sources{File: yaml})
	require.NoError(t, err)
	require.Equal(t, []string{"file:9092"}, c.Kafka.Brokers)
	require.Equal(t, "debug", c.Log.Level)
	require.Equal(t, yaml+":2:3", c.Origin("kafka.brokers").Where)

	c, err = Load(Sources{File: yaml, LookupEnv: env(vars)})
	require.NoError(t, err)
	require.Equal(t, []string{"env:1", "env:2"}, c.Kafka.Brokers)
	require.Equal(t, "warn", c.Log.Level)
	require.Equal(t, "fromfile", c.Namespace, "what the environment leaves out stays the file's")

	c, err = Load(Sources{File: yaml, LookupEnv: env(vars), Flags: flags})
	require.NoError(t, err)
	require.Equal(t, "error", c.Log.Level)
	require.Equal(t, Origin{OriginFlag, "--log-level"}, c.Origin("log.level"))
	require.Equal(t, time.Minute, c.StartupTimeout, "the rest is the default")
}

func TestEveryKindOfValueCanBeWrittenInYAML(t *testing.T) {
	c, err := Load(Sources{LookupEnv: env(map[string]string{"PASS": "s3cret: #x"}), File: file(t, `
namespace: shop
startup_timeout: 5s
kafka:
  brokers:
    - a:1
    - b:2
  partitions: 12
  replication: 3
  tls: {enabled: true, server_name: kafka.internal}
  sasl:
    mechanism: PLAIN
    username: u
    password: "pre-${PASS}-$${x}"
collector:
  write_keys:
    - {key: k1, source: web}
    - key: k2
      source: till
sessionizer: {steps: [device], commit_interval: 100ms}
identity:
  secret: |
    two
    lines
`)})
	require.NoError(t, err)
	require.Equal(t, []string{"a:1", "b:2"}, c.Kafka.Brokers)
	require.EqualValues(t, 12, c.Kafka.Partitions)
	require.EqualValues(t, 3, c.Kafka.Replication)
	require.True(t, c.Kafka.TLS.Enabled)
	require.Equal(t, "pre-s3cret: #x-${x}", c.Kafka.SASL.Password)
	require.Equal(t, []WriteKey{{"k1", "web"}, {"k2", "till"}}, c.Collector.WriteKeys)
	require.Equal(t, []string{"device"}, c.Sessionizer.Steps)
	require.Equal(t, 100*time.Millisecond, c.Sessionizer.CommitInterval)
	require.Equal(t, 5*time.Second, c.StartupTimeout)
	require.Equal(t, "two\nlines\n", c.Identity.Secret)
}

func TestMistakesNameTheirPlace(t *testing.T) {
	cases := []struct{ name, yaml, want string }{
		{"a typo", "kafka:\n  broker: [a:1]\n", ":2:3: unknown setting kafka.broker: did you mean kafka.brokers?"},
		{"the right word in the wrong section", "log:\n  brokers: [a:1]\n", ":2:3: unknown setting log.brokers: did you mean kafka.brokers?"},
		{"nothing near", "zebra_crossing: 1\n", ":1:1: unknown setting zebra_crossing"},
		{"a section that is a typo", "namespace: x\ncolector:\n  addr: a:1\n", ":2:1: unknown setting colector: did you mean collector?"},
		{"not a number", "kafka: {partitions: many}\n", `:1:21: kafka.partitions is "many": want a whole number`},
		{"too large a number", "kafka:\n  replication: 70000\n", `:2:16: kafka.replication is "70000": want a whole number`},
		{"not a duration", "startup_timeout: 60\n", `:1:18: startup_timeout is "60": want a duration`},
		{"a variable without value", "identity:\n  secret: ${NOPE}\n", ":2:11: ${NOPE} has no value: set the environment variable NOPE"},
		{"an empty variable", "identity:\n  secret: ${EMPTY}\n", ":2:11: ${EMPTY} has no value"},
		{"an open brace", "identity:\n  secret: ${NOPE\n", ":2:11: ${NOPE has no closing brace"},
		{"broken YAML", "kafka: [a\nlog: {}\n", ":2:1: "},
		{"a value where a section belongs", "kafka: yes\n", ":1:8: kafka is not a mapping"},
		{"a list where a value belongs", "namespace: [a, b]\n", ":1:12: namespace is not a list"},
		{"an unknown part of a write key", "collector:\n  write_keys:\n    - {kee: a}\n", ":3:8: unknown setting kee in collector.write_keys"},
		{"a value that makes no sense", "namespace: x\nlog:\n  level: loud\n", `:3:3: log.level is "loud": want debug, info, warn or error`},
		{"a second document", "namespace: x\n---\nnamespace: y\n", ":3:10: a second document"},
		{"a key twice", "namespace: x\nnamespace: y\n", ":2:1: "},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := file(t, c.yaml)
			_, err := Load(Sources{File: path, LookupEnv: env(map[string]string{"EMPTY": ""})})
			require.ErrorContains(t, err, path+c.want)
			require.NotContains(t, err.Error(), "\n", "one mistake, one line")
		})
	}
}

func TestAllMistakesAreToldAtOnce(t *testing.T) {
	path := file(t, "nmespace: x\nkafka:\n  partitions: no\n")
	_, err := Load(Sources{File: path, LookupEnv: env(map[string]string{"CAIRN_SINK_BATCH_ROWS": "some"})})
	require.ErrorContains(t, err, path+":1:1: ")
	require.ErrorContains(t, err, path+":3:15: ")
	require.ErrorContains(t, err, `CAIRN_SINK_BATCH_ROWS: sink.batch_rows is "some"`)
}

func TestAWrongFlagIsAMistakeOfUsage(t *testing.T) {
	for _, v := range map[string]string{"unreadable": "often", "senseless": "1h"} {
		_, err := Load(Sources{Flags: map[string]FlagValue{"sessionizer.commit_interval": {"--commit-interval", v}}})
		require.ErrorContains(t, err, "--commit-interval: sessionizer.commit_interval is ")
		require.Equal(t, ExitUsage, ExitCode(err))
	}
	_, err := Load(Sources{LookupEnv: env(map[string]string{"CAIRN_LOG_LEVEL": "loud"})})
	require.Equal(t, ExitFailure, ExitCode(err))
}

func TestSecretsComeFromFilesToo(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	require.NoError(t, os.WriteFile(secret, []byte("hush\n"), 0o600))

	c, err := Load(Sources{LookupEnv: env(map[string]string{"CAIRN_IDENTITY_SECRET_FILE": secret})})
	require.NoError(t, err)
	require.Equal(t, "hush", c.Identity.Secret)
	require.Equal(t, "CAIRN_IDENTITY_SECRET_FILE", c.Origin("identity.secret").Where)

	_, err = Load(Sources{LookupEnv: env(map[string]string{"CAIRN_IDENTITY_SECRET_FILE": secret, "CAIRN_IDENTITY_SECRET": "x"})})
	require.ErrorContains(t, err, "CAIRN_IDENTITY_SECRET and CAIRN_IDENTITY_SECRET_FILE are both set")

	_, err = Load(Sources{LookupEnv: env(map[string]string{"CAIRN_IDENTITY_SECRET_FILE": filepath.Join(dir, "none")})})
	require.ErrorContains(t, err, "CAIRN_IDENTITY_SECRET_FILE: ")
}

func TestTheFileIsFound(t *testing.T) {
	_, err := Load(Sources{File: "no-such.yaml"})
	require.ErrorContains(t, err, "no-such.yaml")

	path := file(t, "namespace: byenv\n")
	c, err := Load(Sources{LookupEnv: env(map[string]string{EnvConfig: path})})
	require.NoError(t, err)
	require.Equal(t, "byenv", c.Namespace)

	t.Chdir(filepath.Dir(path))
	c, err = Load(Sources{})
	require.NoError(t, err)
	require.Equal(t, "byenv", c.Namespace, "cairn.yaml of the working folder")
}

func TestEnvNames(t *testing.T) {
	names := EnvNames()
	for _, want := range []string{
		"CAIRN_CONFIG", "CAIRN_KAFKA_BROKERS", "CAIRN_KAFKA_SASL_PASSWORD_FILE", "CAIRN_CLICKHOUSE_DSN", "CAIRN_COLLECTOR_ADDR",
		"CAIRN_ADMIN_ADDR", "CAIRN_IDENTITY_SECRET", "CAIRN_NAMESPACE", "CAIRN_LOG_LEVEL",
	} {
		require.Contains(t, names, want)
	}
	require.NotContains(t, names, "CAIRN_LOG_LEVEL_FILE")

	unknown := UnknownEnv([]string{"CAIRN_KAFKA_BROKER=x", "CAIRN_DATA=/d", "PATH=/bin"})
	require.Equal(t, []string{"CAIRN_KAFKA_BROKER is not read by anything: did you mean CAIRN_KAFKA_BROKERS?"}, unknown)
}

// Two settings must never share a variable: kafka.sasl_x and kafka.sasl.x would.
func TestEverySettingHasItsOwnVariableAndHelp(t *testing.T) {
	seen := map[string]string{}
	for _, k := range Keys() {
		require.Empty(t, seen[EnvName(k)], k)
		seen[EnvName(k)] = k
	}
	for key, f := range fieldsOf(new(Config)) {
		require.True(t, f.help != "" || strings.HasPrefix(key, "kafka.") || strings.HasPrefix(key, "collector.write_keys"), "%s has no help", key)
	}
	for _, k := range secretKeys() {
		require.Contains(t, Keys(), k)
	}
}

func TestPrintedConfigurationReadsBack(t *testing.T) {
	c := Defaults()
	c.Collector.WriteKeys = []WriteKey{{"k", "s"}}
	c.Kafka.Brokers = []string{"a:1", "b:2"}
	c.Identity.Secret = "yes" // YAML's traps: a bool, a number, a comment
	c.Kafka.SASL.Password = "12345"
	c.Kafka.SASL.Username = "# no comment"
	c.Kafka.SASL.Mechanism = "PLAIN"
	var out strings.Builder
	require.NoError(t, c.WriteYAML(&out))
	back, err := Load(Sources{File: file(t, out.String())})
	require.NoError(t, err, out.String())
	back.origins = nil
	require.Equal(t, &c, back)
}

func TestRedactHidesEverySecret(t *testing.T) {
	c := Defaults()
	c.Identity.Secret = "hush1"
	c.Kafka.SASL.Password = "hush2"
	c.Collector.WriteKeys = []WriteKey{{"hush3", "web"}}
	c.ClickHouse.DSN = "clickhouse://u:hush4@h:9000/db?password=hush5"
	var out strings.Builder
	require.NoError(t, c.Redact().WriteYAML(&out))
	require.NotContains(t, out.String(), "hush")
	require.Contains(t, out.String(), "h:9000/db")
	require.Equal(t, "hush3", c.Collector.WriteKeys[0].Key, "the original is untouched")
}

func TestRequireSaysHowToSet(t *testing.T) {
	c := Defaults()
	require.NoError(t, c.Require("kafka.brokers"))
	err := c.Require("kafka.brokers", "identity.secret")
	require.EqualError(t, err, "identity.secret is not set: set it in cairn.yaml or CAIRN_IDENTITY_SECRET (or name a file that holds it in CAIRN_IDENTITY_SECRET_FILE)")
	require.ErrorContains(t, c.Require("collector.write_keys"), "collector.write_keys is not set")
}

func TestAWriteKeyMayBeAHash(t *testing.T) {
	hash := "sha256:" + strings.Repeat("0a", 32)
	c, err := Load(Sources{LookupEnv: env(map[string]string{"CAIRN_COLLECTOR_WRITE_KEYS": hash + ":shop,plain:till"})})
	require.NoError(t, err)
	require.NoError(t, c.Validate())
	require.Equal(t, []WriteKey{{hash, "shop"}, {"plain", "till"}}, c.Collector.WriteKeys)
	require.Contains(t, settingText(c, "collector.write_keys"), hash+":shop,plain:till")
	c.Collector.WriteKeys[0].Key = "sha256:00"
	require.ErrorContains(t, c.Validate(), "colon")
}

func settingText(c *Config, key string) string {
	for _, s := range c.Settings() {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}
