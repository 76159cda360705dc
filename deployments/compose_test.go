// Package deployments checks the deployment files of this folder and docker-compose.yml against the code.
package deployments

import (
	"context"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/app"
	"github.com/cairnhq/cairn/pkg/local"
	"github.com/cairnhq/cairn/pkg/testbed"
)

func TestMain(m *testing.M) { testbed.Main(m) }

// services are cairn's own, with their admin ports.
func services() map[string]string {
	return map[string]string{"collector": "9101", "sessionizer": "9102", "sink": "9103", "monitor": "9104", "console": "9105"}
}

// secrets are what docker-compose.yml asks for and has no default of.
func secrets() types.Mapping {
	return types.Mapping{
		"CAIRN_CLICKHOUSE_PASSWORD":  "pass1",
		"CAIRN_COLLECTOR_WRITE_KEYS": "key1:web",
		"CAIRN_IDENTITY_SECRET":      "0123456789abcdef0123456789abcdef",
	}
}

func load(t *testing.T, environment types.Mapping) (*types.Project, error) {
	t.Helper()
	root := testbed.Root(t)
	return loader.LoadWithContext(context.Background(), types.ConfigDetails{
		WorkingDir:  root,
		ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(root, "docker-compose.yml")}},
		Environment: environment,
	})
}

func compose(t *testing.T) *types.Project {
	t.Helper()
	project, err := load(t, secrets())
	require.NoError(t, err)
	return project
}

// environment is a service's, as its process sees it.
func environment(s types.ServiceConfig) map[string]string {
	out := map[string]string{}
	for name, value := range s.Environment {
		if value != nil {
			out[name] = *value
		}
	}
	return out
}

func TestComposeHasEveryService(t *testing.T) {
	var want []string
	for name := range services() {
		want = append(want, name)
	}
	require.ElementsMatch(t, append(want, "kafka", "clickhouse"), compose(t).ServiceNames())
}

// No secret has a default: each missing one stops "docker compose up" with a sentence.
func TestComposeAsksForSecrets(t *testing.T) {
	for name := range secrets() {
		without := secrets()
		delete(without, name)
		_, err := load(t, without)
		require.ErrorContains(t, err, name)
	}
}

// Each command is a subcommand of the binary, and the image is the one that our Dockerfile makes.
func TestComposeCommandsExist(t *testing.T) {
	project, binary := compose(t), testbed.Binary(t)
	for name := range services() {
		s := project.Services[name]
		require.Equal(t, types.ShellCommand{name}, s.Command)
		requireCommand(t, binary, name)
		require.FileExists(t, filepath.Join(s.Build.Context, s.Build.Dockerfile))
	}
	requireCommand(t, binary, "healthcheck")
	out, err := exec.CommandContext(t.Context(), binary, "healthcheck", "--url", "http://127.0.0.1:1/readyz").CombinedOutput()
	require.ErrorContains(t, err, "exit status 1", "nothing listens there")
	require.Contains(t, string(out), "refused", "the flag is known")
}

func requireCommand(t *testing.T, binary, name string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), binary, name, "--help").CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Regexp(t, `(?m)^\s+cairn `+name+`\b.*$`, string(out), "the help is of the command, not of the program")
}

// The configuration that each service gets is read without a complaint, and no name in it is made up.
func TestComposeEnvironmentIsKnown(t *testing.T) {
	project := compose(t)
	for name, admin := range services() {
		env := environment(project.Services[name])
		for variable := range env {
			require.Contains(t, app.EnvNames(), variable, "service %s", name)
		}
		config, err := app.Load(app.Sources{LookupEnv: func(key string) (string, bool) {
			value, ok := env[key]
			return value, ok
		}})
		require.NoError(t, err, "service %s", name)
		_, port, err := net.SplitHostPort(config.Admin.Addr)
		require.NoError(t, err)
		require.Equal(t, admin, port, "admin port of %s", name)
		require.Equal(t, []string{"kafka:9092"}, config.Kafka.Brokers)
		require.Equal(t, "cairn", config.Namespace)
	}
	for _, name := range []string{"sink", "console"} {
		require.Equal(t, "clickhouse://cairn:pass1@clickhouse:9000/cairn", environment(project.Services[name])["CAIRN_CLICKHOUSE_DSN"])
	}
}

// The ports on the host are those of "cairn up", and reach this machine only.
func TestComposePortsMatchDefaults(t *testing.T) {
	defaults := app.Defaults()
	dsn, err := url.Parse(defaults.ClickHouse.DSN)
	require.NoError(t, err)
	want := map[string][]string{
		"collector":  {port(t, defaults.Collector.Addr)},
		"console":    {port(t, defaults.Console.Addr)},
		"kafka":      {port(t, defaults.Kafka.Brokers[0])},
		"clickhouse": {dsn.Port(), "18123"},
	}
	for name, s := range compose(t).Services {
		var published []string
		for _, p := range s.Ports {
			require.Equal(t, "127.0.0.1", p.HostIP, "port %s of %s", p.Published, name)
			published = append(published, p.Published)
		}
		require.Equal(t, want[name], published, name)
		if slices.Contains([]string{"collector", "console"}, name) {
			listen := environment(s)["CAIRN_"+strings.ToUpper(name)+"_ADDR"]
			require.Equal(t, port(t, listen), port(t, "x:"+published[0]))
		}
	}
}

func port(t *testing.T, addr string) string {
	t.Helper()
	_, p, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	return p
}

// Every container says when it is well, and nothing starts before what it needs is.
func TestComposeHealthchecks(t *testing.T) {
	for name, s := range compose(t).Services {
		require.NotNil(t, s.HealthCheck, name)
		require.False(t, s.HealthCheck.Disable, name)
		if admin, ours := services()[name]; ours {
			require.Equal(t, types.HealthCheckTest{"CMD", "/usr/local/bin/cairn", "healthcheck", "--url", "http://127.0.0.1:" + admin + "/readyz"}, s.HealthCheck.Test)
		}
		for dependency, d := range s.DependsOn {
			require.Equal(t, types.ServiceConditionHealthy, d.Condition, "%s waits for %s", name, dependency)
		}
	}
}

// Compose runs the Kafka and the ClickHouse that the tests run, and Kafka 4: the sessionizer needs its transactions.
func TestComposeVersionsAreTheTestedOnes(t *testing.T) {
	project := compose(t)
	require.Equal(t, "apache/kafka:"+local.KafkaVersion, project.Services["kafka"].Image)
	release := strings.Join(strings.SplitN(local.EngineVersion, ".", 3)[:2], ".")
	require.Equal(t, "clickhouse/clickhouse-server:"+release, project.Services["clickhouse"].Image)
}

// The binary is linked to glibc, so that its image has one; it does not run as root.
func TestDockerfileFitsTheBinary(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(testbed.Root(t), "deployments/docker/Dockerfile"))
	require.NoError(t, err)
	lines := strings.Split(string(b), "\n")
	var froms, users, entry []string
	for _, l := range lines {
		switch word, rest, _ := strings.Cut(l, " "); word {
		case "FROM":
			froms = append(froms, rest)
		case "USER":
			users = append(users, rest)
		case "ENTRYPOINT":
			entry = append(entry, rest)
		}
	}
	require.Contains(t, froms[len(froms)-1], "distroless/base")
	require.Equal(t, []string{"65532:65532"}, users)
	require.Equal(t, []string{`["/usr/local/bin/cairn"]`}, entry)
	require.Contains(t, string(b), "/internal/cli.version=")
}
