package local

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
)

// ClickHouseOptions say how to run the engine.
type ClickHouseOptions struct {
	Dir      string      // data, configuration and log; made if missing
	Port     int         // native protocol on 127.0.0.1; 0 picks a free one
	HTTPPort int         // 0 picks a free one
	Direct   bool        // the engine listens on the ports itself: it must know its own address to be one of a cluster
	Log      *zap.Logger // may be nil
}

// ClickHouse is a running engine, behind a relay.
type ClickHouse struct {
	proc     *process
	lock     *Lock
	port     int
	httpPort int
	inner    int      // the engine's own port of the native protocol
	relays   []*relay // for port and httpPort
	done     chan struct{}
}

// keepAlive opens the listeners and then never ends: the engine serves as long as its query runs.
const keepAlive = "SYSTEM START LISTEN TCP; SYSTEM START LISTEN HTTP; " +
	"SELECT sleepEachRow(3) FROM numbers(1000000000) FORMAT Null " +
	"SETTINGS max_block_size=1, function_sleep_max_microseconds_per_block=1000000000, max_execution_time=0"

const (
	engineStopBound  = 15 * time.Second
	engineStartBound = 60 * time.Second
)

// StartClickHouse runs the ClickHouse engine on the folder in a child process and returns once it answers
// queries. ctx bounds the start only; Stop ends the child. The user is "default" without a password, from
// 127.0.0.1 only. A folder may be opened again after any end of the child, kill -9 included.
func StartClickHouse(ctx context.Context, o ClickHouseOptions) (*ClickHouse, error) {
	library, err := EngineLibrary()
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	lock, err := lockSoon(ctx, dir)
	if err != nil {
		return nil, err
	}
	c := &ClickHouse{lock: lock}
	pick := o.Port == 0 || o.HTTPPort == 0
	if err := retryStart(pick, func() error { return c.start(ctx, o, dir, library) }); err != nil {
		lock.Unlock()
		return nil, err
	}
	if o.Log != nil {
		o.Log.Info("clickhouse engine started", zap.Int("pid", c.PID()), zap.Int("port", c.port), zap.Int("http_port", c.httpPort))
	}
	return c, nil
}

// lockSoon waits for a folder a little: its last holder may have been killed a moment ago.
func lockSoon(ctx context.Context, dir string) (*Lock, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return LockFolder(ctx, dir)
}

func (c *ClickHouse) start(ctx context.Context, o ClickHouseOptions, dir, library string) (err error) {
	if c.port, err = choosePort(ctx, o.Port, "--clickhouse-port"); err != nil {
		return err
	}
	if c.httpPort, err = choosePort(ctx, o.HTTPPort, "--clickhouse-http-port"); err != nil {
		return err
	}
	inner := [2]int{c.port, c.httpPort}
	for i := range inner {
		if o.Direct {
			break
		}
		if inner[i], err = FreePort(); err != nil {
			return err
		}
	}
	c.inner = inner[0]
	data := filepath.Join(dir, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	config, err := writeEngineConfig(dir)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find our own binary: %w", err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), self, "-C", config, "--path", data, "--listen_host", loopback,
		"--tcp_port", strconv.Itoa(inner[0]), "--http_port", strconv.Itoa(inner[1]), "--query", keepAlive)
	cmd.Dir = dir
	cmd.Env = append(childEnvironment(), envChild+"=clickhouse", envChildLibrary+"="+library, envChildFolder+"="+data)
	if !o.Direct {
		if err := c.relay(inner); err != nil {
			return err
		}
	}
	if c.proc, err = startProcess("the ClickHouse engine", cmd, filepath.Join(dir, "clickhouse.log"), true); err != nil {
		c.unrelay()
		return err
	}
	c.done = make(chan struct{})
	go func() {
		<-c.proc.done
		c.unrelay()
		close(c.done)
	}()
	ctx, cancel := context.WithTimeout(ctx, engineStartBound)
	defer cancel()
	if err := c.proc.waitReady(ctx, 20*time.Millisecond, c.probe); err != nil {
		_ = c.stop() // the first error tells more
		return err
	}
	return nil
}

// relay listens on the ports that others know.
func (c *ClickHouse) relay(inner [2]int) error {
	for i, outer := range [2]int{c.port, c.httpPort} {
		r, err := startRelay(outer, inner[i], [2]string{"--clickhouse-port", "--clickhouse-http-port"}[i])
		if err != nil {
			c.unrelay()
			return err
		}
		c.relays = append(c.relays, r)
	}
	return nil
}

func (c *ClickHouse) unrelay() {
	for _, r := range c.relays {
		r.close()
	}
	c.relays = nil
}

// childEnvironment is what a child needs of ours: no secret of the parent's environment reaches it.
func childEnvironment() []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "TZ", "LANG", "LD_LIBRARY_PATH", "JAVA_HOME"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// probe runs a query and checks that it is this folder's server that answers, not a stranger on the port.
func (c *ClickHouse) probe(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.HTTP(), strings.NewReader("SELECT tcpPort()"))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err != nil {
		return err
	}
	if got := strings.TrimSpace(string(body)); resp.StatusCode != http.StatusOK || got != strconv.Itoa(c.inner) {
		return fmt.Errorf("answered %d %q to a first query", resp.StatusCode, got)
	}
	return nil
}

// Addr is host:port of the native protocol.
func (c *ClickHouse) Addr() string { return address(c.port) }

// DSN names the server and a database for clickhouse-go.
func (c *ClickHouse) DSN(database string) string {
	return "clickhouse://default@" + c.Addr() + "/" + database
}

// HTTP is the address of the HTTP interface.
func (c *ClickHouse) HTTP() string { return "http://" + address(c.httpPort) }

// Ports are those of the native protocol and of HTTP.
func (c *ClickHouse) Ports() (native, http int) { return c.port, c.httpPort }

// PID is the child's process id.
func (c *ClickHouse) PID() int { return c.proc.cmd.Process.Pid }

// Done is closed when the child has ended, by Stop or by itself.
func (c *ClickHouse) Done() <-chan struct{} { return c.done }

// Err tells how the child ended. Only valid once Done is closed.
func (c *ClickHouse) Err() error { return c.proc.exitError() }

// Stop ends the child: SIGTERM, and SIGKILL if it has not gone after a while. What was inserted stays.
func (c *ClickHouse) Stop() error {
	defer c.lock.Unlock()
	return c.stop()
}

// stop returns when the ports are free again.
func (c *ClickHouse) stop() error {
	err := c.proc.stop(engineStopBound)
	<-c.done
	return err
}
