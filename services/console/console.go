// Package console serves the journey map: as JSON and CSV under /api/v1, and as
// a page that draws it.
//
// It reads ClickHouse only, through the views of the namespace, and holds no
// state: any number of consoles may run. The page is built by web/ and embedded.
package console

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sync/singleflight"

	"github.com/cairnhq/cairn/pkg/warehouse"
)

const (
	defaultQueryTimeout = 5 * time.Second
	defaultMaxQueries   = 4
	// shutdownGrace bounds how long answers in flight may take at the end.
	shutdownGrace = 5 * time.Second
	pingTimeout   = time.Second
)

// Options of a console.
type Options struct {
	Namespace string
	// Listener is where it serves; the console closes it.
	Listener net.Listener
	// DSN of ClickHouse: clickhouse://user:password@host:9000/database.
	DSN string
	// MinCount hides counts of profiles below it, in the API too, for consoles
	// that more people can see than may know of single customers. 0: exact
	// numbers, because the page is for the business's own analysts.
	MinCount uint64
	// AllowedHosts are names, without port, that the console answers to besides
	// those of the machine itself when it listens on a loopback address. Any
	// other Host is refused then: a web page that had its name point to
	// 127.0.0.1 could read the map else.
	AllowedHosts []string
	// QueryTimeout bounds the queries of one answer; 0 means 5 s.
	QueryTimeout time.Duration
	// MaxQueries is how many maps are read at once; 0 means 4.
	MaxQueries int
	Log        *zap.Logger
	Registerer prometheus.Registerer
}

// Service is a console. Its methods are safe for concurrent use; Run is called once.
type Service struct {
	o       Options
	conn    driver.Conn
	log     *zap.Logger
	metrics *metrics
	server  *http.Server
	// slots holds one element per map being read.
	slots chan struct{}
	// shared lets requests for the same range wait for one answer.
	shared singleflight.Group

	mu       sync.Mutex
	pinged   time.Time // guarded by mu
	pingFail error     // guarded by mu
}

// New checks the options and prepares the console. ClickHouse is not asked
// before the first request.
func New(_ context.Context, o Options) (*Service, error) {
	if o.Listener == nil {
		return nil, errors.New("console: no listener")
	}
	if o.Log == nil || o.Registerer == nil {
		return nil, errors.New("console: no logger or no metrics registerer")
	}
	if err := warehouse.CheckNamespace(o.Namespace); err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	if o.QueryTimeout == 0 {
		o.QueryTimeout = defaultQueryTimeout
	}
	if o.MaxQueries == 0 {
		o.MaxQueries = defaultMaxQueries
	}
	conn, err := warehouse.OpenLazy(o.DSN)
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, fmt.Errorf("console: register metrics: %w", err)
	}
	s := &Service{o: o, conn: conn, log: o.Log, metrics: m, slots: make(chan struct{}, o.MaxQueries)}
	h, err := s.handler()
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	s.server = &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      o.QueryTimeout + 10*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          zap.NewStdLog(o.Log),
	}
	return s, nil
}

// Run serves until ctx ends, then lets answers in flight finish for a few
// seconds and returns nil.
func (s *Service) Run(ctx context.Context) error {
	defer func() { _ = s.conn.Close() }()
	stopped := make(chan struct{})
	ended, end := context.WithCancel(ctx)
	defer end()
	go func() {
		defer close(stopped)
		<-ended.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
		defer cancel()
		if s.server.Shutdown(grace) != nil {
			_ = s.server.Close() // too slow: cut off
		}
	}()
	err := s.server.Serve(s.o.Listener)
	end()
	<-stopped
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("console: serve: %w", err)
	}
	return nil
}

// Ready is nil when ClickHouse answers, else a sentence that says it does not.
// It asks at most once a second.
func (s *Service) Ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.pinged) < pingTimeout {
		return s.pingFail
	}
	ctx, cancel := context.WithTimeout(context.Background(), pingTimeout)
	defer cancel()
	s.pingFail = nil
	if err := s.conn.Ping(ctx); err != nil {
		s.pingFail = fmt.Errorf("ClickHouse does not answer: %w", err)
	}
	s.pinged = time.Now()
	return s.pingFail
}
