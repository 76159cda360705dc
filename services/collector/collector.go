// Package collector is cairn's HTTP front door: it takes events from the SDKs
// that applications already use, checks them and puts them into Kafka. A 200 is
// a promise: it is given only after Kafka has acknowledged (acks=all) every
// event of the request in touchpoints.raw. A bad event goes there too, as it
// came, with the reason in its headers: the device step counts it and passes it
// on to touchpoints.rejected.
package collector

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/cairnhq/cairn/services/collector/internal/doors"
)

// Service is a collector. Make it with New.
type Service struct {
	opts     Options
	handler  *handler
	producer *producer
	keys     *keysFile
	webhooks *webhookTable
	listener *limitListener
	draining chan struct{} // closed when Run begins to end
}

// New checks the options and makes a collector. It connects to Kafka only in
// Run. The listener is the service's from here on; after an error it is still
// the caller's.
func New(_ context.Context, o Options) (*Service, error) {
	o.setDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("collector: %w", err)
	}
	met, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, fmt.Errorf("collector: register metrics: %w", err)
	}
	s := &Service{opts: o, draining: make(chan struct{})}
	if s.keys, err = openKeys(&s.opts, met); err != nil {
		return nil, fmt.Errorf("collector: %w", err)
	}
	s.opts.WriteKeys = nil // only their hashes stay in memory
	if s.webhooks, err = newWebhookTable(o.Webhooks, o.Log); err != nil {
		return nil, fmt.Errorf("collector: %w", err)
	}
	list, err := doors.All(o.doors(met, s.webhooks))
	if err != nil {
		return nil, fmt.Errorf("collector: %w", err)
	}
	uploads := &imports{}
	list = append(list, importDoor(uploads.serve))
	if s.producer, err = newProducer(&s.opts, met); err != nil {
		return nil, fmt.Errorf("collector: %w", err)
	}
	if s.handler, err = newHandler(&s.opts, list, s.keys.ring, s.producer, met, s.draining); err != nil {
		s.producer.client.Close()
		return nil, fmt.Errorf("collector: %w", err)
	}
	if err := s.producer.openSpool(&s.opts); err != nil { // last: it holds a folder
		s.producer.client.Close()
		return nil, fmt.Errorf("collector: %w", err)
	}
	uploads.begin(s.handler, s.webhooks.table.Load)
	s.listener = newLimitListener(o.Listener, o.MaxConnections)
	return s, nil
}

// Reload has the file of keys looked at now, not at its next turn.
func (s *Service) Reload() {
	select {
	case s.keys.reload <- struct{}{}:
	default: // one is asked for already
	}
}

// Handler is the front doors' handler, for callers with a server of their own.
func (s *Service) Handler() http.Handler { return s.handler }

// Ready is nil when events can be accepted, else one sentence on what is
// missing.
func (s *Service) Ready() error {
	select {
	case <-s.draining:
		return errors.New("collector: shutting down")
	default:
	}
	if why := s.producer.shut(); why != "" {
		return errors.New("collector: " + why)
	}
	return nil
}

// Run serves until ctx ends. Then it answers the requests that have begun, sends
// what is buffered, and returns nil, or an error if that took longer than
// the shutdown timeout. It may be called once.
func (s *Service) Run(ctx context.Context) error {
	// Outlives ctx: requests in flight still need to know about Kafka.
	watchCtx, stopWatch := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { s.producer.watch(watchCtx) })
	wg.Go(func() { s.keys.watch(watchCtx, s.opts.KeysPoll) })
	s.producer.drain(watchCtx)
	wg.Go(func() { s.webhooks.watch(watchCtx, s.opts.WebhooksPoll) })
	defer wg.Wait()
	defer stopWatch()

	server := s.server()
	served := make(chan error, 1)
	go func() { served <- server.Serve(s.listener) }()
	s.opts.Log.Info("collector listens", zap.Stringer("addr", s.listener.Addr()))

	var failed error
	select {
	case <-ctx.Done():
	case err := <-served:
		served <- err
		failed = fmt.Errorf("collector: serve: %w", err)
	}
	err := s.drain(ctx, server)
	if end := <-served; failed == nil && !errors.Is(end, http.ErrServerClosed) {
		failed = fmt.Errorf("collector: serve: %w", end)
	}
	return errors.Join(failed, err)
}

func (s *Service) server() *http.Server {
	o := &s.opts
	errorLog, _ := zap.NewStdLogAt(o.Log.Named("http"), zapcore.DebugLevel) // what clients do wrong
	return &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: min(5*time.Second, o.ReadTimeout),
		ReadTimeout:       o.ReadTimeout,
		WriteTimeout:      o.ReadTimeout + 2*o.ProduceTimeout,
		IdleTimeout:       90 * time.Second,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          errorLog,
		ConnState:         s.listener.state,
	}
}

// drain ends the service within the shutdown timeout.
func (s *Service) drain(ctx context.Context, server *http.Server) error {
	close(s.draining)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.opts.ShutdownTimeout)
	defer cancel()
	err := server.Shutdown(ctx)
	if err != nil {
		err = fmt.Errorf("collector: requests were still in flight at the end: %w", err)
		_ = server.Close() // cuts them off; their clients will try again
	}
	err = errors.Join(err, s.producer.close(ctx))
	s.opts.Log.Info("collector ended", zap.Error(err))
	return err
}
