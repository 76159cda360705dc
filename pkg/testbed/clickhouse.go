package testbed

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/testcontainers/testcontainers-go"
	tcclickhouse "github.com/testcontainers/testcontainers-go/modules/clickhouse"

	"github.com/cairnhq/cairn/pkg/local"
)

// ClickHouseEnv is a test's share of a ClickHouse: the databases Namespace, Namespace_next, Namespace_bi and Namespace_api, which
// do not exist yet.
type ClickHouseEnv struct {
	DSN       string // for clickhouse-go; names the database "default"
	HTTP      string // http://host:port; with the user and password in it where there is one
	Namespace string
}

// clickhouseServer is a ClickHouse that the tests of this binary share.
type clickhouseServer struct{ dsn, http string }

const clickhouseImage = "clickhouse/clickhouse-server:25.8"

// ClickHouse gives the test a namespace of its own on a real ClickHouse. Its databases are dropped when the test
// ends.
func ClickHouse(tb testing.TB) *ClickHouseEnv {
	tb.Helper()
	server, err := shared.clickhouse()
	if err != nil {
		Require(tb, "there is no ClickHouse for tests: "+err.Error())
	}
	env := &ClickHouseEnv{DSN: server.dsn, HTTP: server.http, Namespace: namespace(tb)}
	tb.Cleanup(func() {
		if err := dropDatabases(env); err != nil {
			tb.Errorf("clean up ClickHouse: %v", err)
		}
	})
	return env
}

// startClickHouse finds or starts the ClickHouse of this binary. The error names every way that was tried.
func (b *bed) startClickHouse() (clickhouseServer, error) {
	if dsn := os.Getenv(envClickHouse); dsn != "" {
		return externalClickHouse(dsn, os.Getenv(envClickHouseHTTP))
	}
	ctx, cancel := context.WithTimeout(context.Background(), startBound)
	defer cancel()
	noExternal := fmt.Errorf("%s is not set", envClickHouse)
	server, noDocker := b.clickhouseContainer(ctx)
	if noDocker == nil {
		return server, nil
	}
	dir, err := b.folder("clickhouse")
	if err != nil {
		return clickhouseServer{}, err
	}
	c, noLocal := local.StartClickHouse(ctx, local.ClickHouseOptions{Dir: dir})
	if noLocal != nil {
		return clickhouseServer{}, errors.Join(noExternal, noDocker, noLocal)
	}
	b.atEnd(keepClickHouse(c, dir).stop)
	return clickhouseServer{dsn: c.DSN("default"), http: c.HTTP()}, nil
}

// externalClickHouse fills in the HTTP address, which is port 8123 of the same host unless it is given.
func externalClickHouse(dsn, http string) (clickhouseServer, error) {
	if http != "" {
		return clickhouseServer{dsn: dsn, http: http}, nil
	}
	o, err := clickhouse.ParseDSN(dsn)
	if err != nil {
		return clickhouseServer{}, fmt.Errorf("%s: %w", envClickHouse, err)
	}
	host, _, err := net.SplitHostPort(o.Addr[0])
	if err != nil {
		return clickhouseServer{}, fmt.Errorf("%s: %w", envClickHouse, err)
	}
	return clickhouseServer{dsn: dsn, http: "http://" + userInfo(o.Auth.Username, o.Auth.Password) + net.JoinHostPort(host, "8123")}, nil
}

// userInfo is the part of a URL before the host.
func userInfo(user, password string) string {
	if password == "" {
		return ""
	}
	return user + ":" + password + "@"
}

func (b *bed) clickhouseContainer(ctx context.Context) (clickhouseServer, error) {
	if err := dockerAnswers(ctx); err != nil {
		return clickhouseServer{}, err
	}
	c, err := tcclickhouse.Run(ctx, clickhouseImage, tcclickhouse.WithDatabase("default"),
		testcontainers.WithEnv(map[string]string{"CLICKHOUSE_DEFAULT_ACCESS_MANAGEMENT": "1"}))
	if c != nil {
		b.atEnd(func() error { return testcontainers.TerminateContainer(c) })
	}
	if err != nil {
		return clickhouseServer{}, fmt.Errorf("start the container %s: %w", clickhouseImage, err)
	}
	dsn, err := c.ConnectionString(ctx)
	if err != nil {
		return clickhouseServer{}, err
	}
	host, err := c.PortEndpoint(ctx, "8123/tcp", "")
	if err != nil {
		return clickhouseServer{}, err
	}
	return clickhouseServer{dsn: dsn, http: "http://" + userInfo(c.User, c.Password) + host}, nil
}

// dropDatabases removes what the test has left.
func dropDatabases(env *ClickHouseEnv) error {
	ctx, cancel := context.WithTimeout(context.Background(), cleanupBound)
	defer cancel()
	o, err := clickhouse.ParseDSN(env.DSN)
	if err != nil {
		return err
	}
	conn, err := clickhouse.Open(o)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	for _, suffix := range []string{"_api", "_bi", "_next", ""} {
		if err := conn.Exec(ctx, "DROP DATABASE IF EXISTS `"+env.Namespace+suffix+"` SYNC"); err != nil {
			return err
		}
	}
	return nil
}
