package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
)

// adminGrace bounds how long a last scrape may take at shutdown.
const adminGrace = 2 * time.Second

// Admin serves /livez, /readyz and /metrics on ln until ctx ends, and
// /debug/pprof/ too when ln is bound to a loopback address: profiles show
// memory, so they never leave the machine. It closes ln and returns nil once
// stopped by ctx.
func Admin(ctx context.Context, ln net.Listener, h *Health, g prometheus.Gatherer, log *zap.Logger) error {
	srv := &http.Server{
		Handler:           AdminHandler(h, g, isLoopback(ln.Addr())),
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       time.Minute,
		ErrorLog:          zap.NewStdLog(log.Named("admin")),
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), adminGrace)
		defer cancel()
		if srv.Shutdown(grace) != nil {
			_ = srv.Close() // a profile still running is cut off
		}
	}()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("admin server: %w", err)
	}
	<-stopped
	return nil
}

// AdminHandler is what Admin serves.
func AdminHandler(h *Health, g prometheus.Gatherer, withPprof bool) http.Handler {
	mux := http.NewServeMux()
	probes := h.Handler()
	mux.Handle("GET /livez", probes)
	mux.Handle("GET /readyz", probes)
	mux.Handle("GET /metrics", promhttp.HandlerFor(g, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
	if withPprof {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	return mux
}

func isLoopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
