package cli

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/cairnhq/cairn/pkg/app"
	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/services/cairn/internal/standalone"
	"github.com/cairnhq/cairn/services/sessionizer"
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
}

// defaultSource is the source of a write key that nobody named one for.
const defaultSource = "default"

// stepRestarts is how often in a row a failed step is made anew.
const stepRestarts = 20

// openUp opens ports first, because they are what is most often wrong, then the machine.
func (sh *shell) openUp(ctx context.Context, o *upOptions) (u *upped, err error) {
	u = &upped{o: o}
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
	if u.model, err = u.p.loadModel(); err != nil {
		return nil, err
	}
	u.machine, err = standalone.Open(ctx, standalone.Options{
		Config: o.cfg, Model: u.model, Kafka: o.kafka, OwnClickHouse: o.ownClickHouse,
		KafkaPort: o.kafkaPort, ClickHousePort: o.clickhousePort, ClickHouseHTTPPort: o.clickhouseHTTPPort, Log: u.p.log,
	})
	if err != nil {
		return nil, err
	}
	u.settle()
	return u, nil
}

// settle makes the configuration say what the machine has, so that the services
// are set up as they are on their own.
func (u *upped) settle() {
	cfg, m := u.o.cfg, u.machine
	cfg.Kafka.Cluster, cfg.ClickHouse.DSN, cfg.Identity.Secret = m.Cluster, m.DSN, m.HMACSecret
	switch {
	case u.o.writeKey != "":
		cfg.Collector.WriteKeys = []app.WriteKey{{Key: u.o.writeKey, Source: defaultSource}}
	case len(cfg.Collector.WriteKeys) == 0:
		cfg.Collector.WriteKeys = []app.WriteKey{{Key: m.WriteKey, Source: defaultSource}}
	}
}

// run runs the services. They stop in the reverse order: first those that take
// data in, last those that others write to.
func (u *upped) run(ctx context.Context, ready func(*banner) error) error {
	u.p.group.Add("servers", u.machine.Watch)
	u.p.serveMonitor()
	u.p.addConsole(u.console)
	u.p.serveSink()
	if err := u.p.addSessionizer(sessionizer.Options{
		Model: u.model, InstanceID: u.machine.InstanceID, Epoch: u.machine.Epoch, MaxRestarts: stepRestarts,
	}); err != nil {
		return err
	}
	u.p.addCollector(u.collector)
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
