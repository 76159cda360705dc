package warehouse

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// connection is clickhouse-go's pool, and one of ch-go's connections to the same
// server for inserts.
type connection struct {
	driver.Conn
	pool *nativePool
}

// Close closes both.
func (c *connection) Close() error {
	c.pool.close()
	return c.Conn.Close()
}

// freshFor is how long a connection is taken to live without asking.
const freshFor = time.Second

// nativePool keeps idle connections. Safe for concurrent use.
type nativePool struct {
	options ch.Options
	addrs   []string

	mu     sync.Mutex
	idle   []idleClient // guarded by mu, newest last
	closed bool         // guarded by mu
}

type idleClient struct {
	client *ch.Client
	since  time.Time
}

func newNativePool(o *clickhouse.Options) *nativePool {
	p := &nativePool{addrs: o.Addr, options: ch.Options{
		User: o.Auth.Username, Password: o.Auth.Password, ClientName: "cairn", Compression: ch.CompressionLZ4,
		DialTimeout: dialTimeout, HandshakeTimeout: dialTimeout, Dialer: dialFunc(dialer(o.TLS)),
	}}
	switch o.Compression.Method {
	case clickhouse.CompressionNone:
		p.options.Compression = ch.CompressionDisabled
	case clickhouse.CompressionZSTD:
		p.options.Compression = ch.CompressionZSTD
	default: // others are for HTTP
	}
	for key, value := range o.Settings {
		p.options.Settings = append(p.options.Settings, ch.Setting{Key: key, Value: fmt.Sprint(value)})
	}
	return p
}

type dialFunc func(ctx context.Context, addr string) (net.Conn, error)

func (f dialFunc) DialContext(ctx context.Context, _, addr string) (net.Conn, error) {
	return f(ctx, addr)
}

// do runs a query on a connection of its own. One that met an error is not used
// again: what of the query the server has read is not known.
func (p *nativePool) do(ctx context.Context, q ch.Query) error {
	client, err := p.get(ctx)
	if err != nil {
		return err
	}
	if err := client.Do(ctx, q); err != nil {
		_ = client.Close() // the first error tells more
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return err
	}
	p.put(client)
	return nil
}

func (p *nativePool) get(ctx context.Context) (*ch.Client, error) {
	for {
		p.mu.Lock()
		n := len(p.idle)
		if n == 0 {
			p.mu.Unlock()
			return p.dial(ctx)
		}
		last := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		if time.Since(last.since) < freshFor || last.client.Ping(ctx) == nil {
			return last.client, nil
		}
		_ = last.client.Close() // the server has closed it before
	}
}

// dial tries the servers in the order of the DSN.
func (p *nativePool) dial(ctx context.Context) (*ch.Client, error) {
	var errs []error
	for _, addr := range p.addrs {
		o := p.options
		o.Address = addr
		client, err := ch.Dial(ctx, o)
		if err == nil {
			return client, nil
		}
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("reach ClickHouse: %w", errors.Join(errs...))
}

func (p *nativePool) put(client *ch.Client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || client.IsClosed() || len(p.idle) >= maxOpenConns {
		_ = client.Close() // nothing is lost
		return
	}
	p.idle = append(p.idle, idleClient{client, time.Now()})
}

func (p *nativePool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, c := range p.idle {
		_ = c.client.Close()
	}
	p.idle = nil
}
