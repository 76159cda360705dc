package cli

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/cairnhq/cairn/pkg/app"
	"github.com/cairnhq/cairn/pkg/telemetry"
)

// process is what a service, or several, run in: configuration, logger,
// metrics, health with its admin server, and the run group.
type process struct {
	cfg    *app.Config
	log    *zap.Logger
	reg    *prometheus.Registry
	health *telemetry.Health
	group  *app.Group
	admin  net.Addr
}

// service is the shape of every service (collector, sessionizer, sink, monitor, console).
type service interface {
	Run(ctx context.Context) error
	Ready() error
}

// newProcess reads the configuration of cmd and opens the admin server at
// admin.addr, else at adminDefault. Health and metrics are served once run is called.
func (sh *shell) newProcess(ctx context.Context, cmd *cobra.Command, adminDefault string) (*process, error) {
	cfg, err := sh.loadConfig(cmd)
	if err != nil {
		return nil, err
	}
	return sh.startProcess(ctx, cfg, adminDefault)
}

// startProcess is newProcess with a configuration that is already read.
func (sh *shell) startProcess(ctx context.Context, cfg *app.Config, adminDefault string) (*process, error) {
	log, err := telemetry.NewLogger(sh.Err, cfg.Log.Level, cfg.Log.Format)
	if err != nil {
		return nil, err
	}
	addr := cfg.Admin.Addr
	if addr == "" {
		addr = adminDefault
	}
	ln, err := app.Listen(ctx, "--admin-addr", addr)
	if err != nil {
		return nil, err
	}
	p := &process{
		cfg: cfg, log: log, reg: newRegistry(), health: new(telemetry.Health), admin: ln.Addr(),
		group: &app.Group{Log: log, StopTimeout: cfg.ShutdownTimeout},
	}
	p.group.OnStop = p.health.Drain
	p.group.Add("admin", func(ctx context.Context) error {
		return telemetry.Admin(ctx, ln, p.health, p.reg, log)
	})
	log.Info("starting", zap.String("version", buildVersion().Version), zap.Stringer("admin", ln.Addr()))
	return p, nil
}

func newRegistry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	v := buildVersion()
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "cairn_build_info", Help: "1, labelled by the version of this binary.",
		ConstLabels: prometheus.Labels{"version": v.Version, "revision": v.Revision, "go_version": v.Go},
	})
	info.Set(1)
	reg.MustRegister(info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return reg
}

// serve adds a service: it waits for what the service needs, makes it and runs
// it. Until then /readyz says what is awaited.
func (p *process) serve(name string, needs []dependency, open func(context.Context) (service, error)) {
	for i := range needs {
		needs[i].gate = new(app.Gate)
		p.health.Register(needs[i].name, needs[i].gate.Ready)
	}
	p.health.Register(name, func() error { return errors.New("starting") })
	p.group.Add(name, func(ctx context.Context) error {
		for _, n := range needs {
			if err := n.await(ctx, p); err != nil {
				if ctx.Err() != nil {
					return nil //nolint:nilerr // told to stop before it began
				}
				return err
			}
		}
		s, err := open(ctx)
		if err != nil {
			return err
		}
		p.health.Register(name, s.Ready)
		p.log.Info("running", zap.String("service", name))
		return s.Run(ctx)
	})
}

// stopTimeout is how long a service may take to drain: it ends before the run
// group gives up on it.
func (p *process) stopTimeout() time.Duration { return p.cfg.ShutdownTimeout * 3 / 4 }

// run runs everything added until it ends, and says goodbye.
func (p *process) run(ctx context.Context) error {
	err := p.group.Run(ctx)
	if err == nil {
		p.log.Info("stopped")
	}
	_ = p.log.Sync() // a terminal cannot be synced
	return err
}
