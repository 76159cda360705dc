package warehouse

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

const (
	dialTimeout  = 5 * time.Second
	maxOpenConns = 8
)

// Open connects to the ClickHouse of a DSN, clickhouse://user:pass@host:9000/db,
// over the native protocol with LZ4, and pings it. The database of the DSN need
// not exist: every query of this package names its own. Close the connection
// after use; it is a pool and safe for concurrent use.
func Open(ctx context.Context, dsn string) (driver.Conn, error) {
	conn, err := OpenLazy(dsn)
	if err != nil {
		return nil, err
	}
	if err := conn.Ping(ctx); err != nil {
		_ = conn.Close() // the ping says more
		return nil, fmt.Errorf("reach ClickHouse: %w", err)
	}
	return conn, nil
}

// OpenLazy is Open without the ping: it fails only on a DSN that cannot be read.
func OpenLazy(dsn string) (driver.Conn, error) { return openLazy(dsn, nil) }

// openLazy lets the options be changed that the DSN gives.
func openLazy(dsn string, change func(*clickhouse.Options)) (driver.Conn, error) {
	o, err := clickhouse.ParseDSN(dsn)
	if err != nil {
		// The error of the parser may quote the DSN, and with it the password.
		return nil, fmt.Errorf("the ClickHouse DSN cannot be read: want clickhouse://user:password@host:9000/%s", "cairn")
	}
	o.Protocol = clickhouse.Native
	o.Auth.Database = "" // the namespace's database may not exist yet
	o.DialTimeout = dialTimeout
	o.DialContext = dialer(o.TLS)
	o.MaxOpenConns = maxOpenConns
	o.MaxIdleConns = maxOpenConns
	if o.Compression == nil {
		o.Compression = &clickhouse.Compression{Method: clickhouse.CompressionLZ4}
	}
	o.ClientInfo.Products = append(o.ClientInfo.Products, struct{ Name, Version string }{"cairn", "1"})
	if change != nil {
		change(o)
	}
	conn, err := clickhouse.Open(o)
	if err != nil {
		return nil, fmt.Errorf("open ClickHouse: %w", err)
	}
	return &connection{Conn: conn, pool: newNativePool(o)}, nil
}

// namespaces that are database names without quoting, and short enough for the
// suffixes.
var namespacePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)

// CheckNamespace says whether a namespace can name databases.
func CheckNamespace(namespace string) error {
	if !namespacePattern.MatchString(namespace) {
		return fmt.Errorf("the namespace %q cannot name a database: use letters, digits and _, and begin with a letter", namespace)
	}
	return nil
}
