package cli

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/cairnhq/cairn/pkg/app"
	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/services/cairn/internal/standalone"
	"github.com/cairnhq/cairn/services/collector"
	"github.com/cairnhq/cairn/services/console"
	"github.com/cairnhq/cairn/services/monitor"
	"github.com/cairnhq/cairn/services/sessionizer"
	"github.com/cairnhq/cairn/services/sink"
)

// upOptions is what `cairn up` runs.
type upOptions struct {
	cfg           *app.Config
	kafka         string // see standalone.Options
	ownClickHouse bool
	writeKey      string // "": the configuration's keys, else the folder's

	kafkaPort, clickhousePort, clickhouseHTTPPort int
}

// upped is everything open and not yet running.
type upped struct {
	o                  *upOptions
	model              *journey.Model
	machine            *standalone.Machine
	p                  *process
	collector, console net.Listener
	keys               []collector.WriteKey
}

// stepRestarts is how often in a row a failed step is made anew.
const stepRestarts = 20

// openUp opens ports first, because they are what is most often wrong, then the machine.
func (sh *shell) openUp(ctx context.Context, o *upOptions) (u *upped, err error) {
	u = &upped{o: o}
	if u.model, err = loadModel(o.cfg.Model); err != nil {
		return nil, err
	}
	var open []net.Listener
	defer func() {
		if err != nil {
			for _, ln := range open {
				err = errors.Join(err, ln.Close())
			}
		}
	}()
	for _, l := range []struct {
		into *net.Listener
		flag string
		addr string
	}{{&u.collector, "--collector-addr", o.cfg.Collector.Addr}, {&u.console, "--console-addr", o.cfg.Console.Addr}} {
		if *l.into, err = app.Listen(ctx, l.flag, l.addr); err != nil {
			return nil, err
		}
		open = append(open, *l.into)
	}
	if u.p, err = sh.startProcess(ctx, o.cfg, "127.0.0.1:9100"); err != nil {
		return nil, err
	}
	u.machine, err = standalone.Open(ctx, standalone.Options{
		Config: o.cfg, Model: u.model, Kafka: o.kafka, OwnClickHouse: o.ownClickHouse,
		KafkaPort: o.kafkaPort, ClickHousePort: o.clickhousePort, ClickHouseHTTPPort: o.clickhouseHTTPPort, Log: u.p.log,
	})
	if err != nil {
		return nil, err
	}
	u.keys = u.writeKeys()
	return u, nil
}

func (u *upped) writeKeys() []collector.WriteKey {
	if u.o.writeKey != "" {
		return []collector.WriteKey{{Key: u.o.writeKey, Source: "default"}}
	}
	var keys []collector.WriteKey
	for _, k := range u.o.cfg.Collector.WriteKeys {
		keys = append(keys, collector.WriteKey{Key: k.Key, Source: k.Source})
	}
	if len(keys) == 0 {
		keys = append(keys, collector.WriteKey{Key: u.machine.WriteKey, Source: "default"})
	}
	return keys
}

// run runs the services. They stop in the reverse order: first those that take
// data in, last those that others write to.
func (u *upped) run(ctx context.Context, ready func(*banner) error) error {
	cfg, m, log, reg := u.o.cfg, u.machine, u.p.log, u.p.reg
	u.p.group.Add("servers", m.Watch)
	u.p.serve("monitor", nil, func(ctx context.Context) (service, error) {
		return monitor.New(ctx, monitor.Options{
			Namespace: cfg.Namespace, Cluster: m.Cluster, Interval: cfg.Monitor.PollInterval, MaxLag: cfg.Monitor.MaxLag, Log: log, Registerer: reg,
		})
	})
	u.p.serve("console", nil, func(ctx context.Context) (service, error) {
		return console.New(ctx, console.Options{Namespace: cfg.Namespace, Listener: u.console, DSN: m.DSN, Log: log, Registerer: reg})
	})
	u.p.serve("sink", nil, func(ctx context.Context) (service, error) {
		return sink.New(ctx, sink.Options{
			Namespace: cfg.Namespace, Cluster: m.Cluster, DSN: m.DSN, Log: log, Registerer: reg,
			FlushInterval: cfg.Sink.FlushInterval, MaxRows: cfg.Sink.BatchRows,
		})
	})
	u.p.serve("sessionizer", nil, func(ctx context.Context) (service, error) {
		return sessionizer.New(ctx, sessionizer.Options{
			Namespace: cfg.Namespace, Cluster: m.Cluster, Model: u.model, InstanceID: m.InstanceID, Epoch: m.Epoch,
			Secret: []byte(m.HMACSecret), CommitInterval: cfg.Sessionizer.CommitInterval, MaxRestarts: stepRestarts, Log: log, Registerer: reg,
		})
	})
	u.p.serve("collector", nil, func(ctx context.Context) (service, error) {
		return collector.New(ctx, collector.Options{
			Namespace: cfg.Namespace, Cluster: m.Cluster, Listener: u.collector, WriteKeys: u.keys,
			MaxEventBytes: cfg.Collector.Limits.EventBytes, MaxBatchBytes: cfg.Collector.Limits.BatchBytes, Log: log, Registerer: reg,
		})
	})
	u.p.group.Add("up", func(ctx context.Context) error { return u.greet(ctx, ready) })
	return u.p.run(ctx)
}

// greet waits until every part is ready, says so, and sees a rebuild through.
func (u *upped) greet(ctx context.Context, ready func(*banner) error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(u.o.cfg.StartupTimeout)
	for u.p.health.Err() != nil {
		select {
		case <-ctx.Done():
			return nil
		case <-timeout:
			return errors.Join(errors.New("not everything became ready within --startup-timeout"), u.p.health.Err())
		case <-tick.C:
		}
	}
	if err := ready(u.banner()); err != nil {
		return err
	}
	if err := u.machine.FinishRebuild(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}
