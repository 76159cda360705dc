// Package standalone opens what `cairn up` needs on one machine: the data
// folder with its identity and secrets, a Kafka and a ClickHouse (its own, or
// given ones), topics and tables. It also decides whether what was derived must
// be rebuilt, and ends the rebuild.
package standalone

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"go.uber.org/zap"

	"github.com/cairnhq/cairn/pkg/app"
	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/local"
	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/warehouse"
)

// KafkaLocal is the value of --kafka that starts the real broker on this machine.
const KafkaLocal = "local"

// Options say what to open.
type Options struct {
	Config *app.Config
	Model  *journey.Model
	// Kafka is "" for the embedded broker, KafkaLocal for a real one of its own,
	// anything else for the brokers of the configuration.
	Kafka string
	// OwnClickHouse starts an engine; else the configuration's DSN is used.
	OwnClickHouse bool

	KafkaPort, ClickHousePort, ClickHouseHTTPPort int // of own servers; 0 picks a free one

	Log *zap.Logger
}

// Machine is an open data folder and its servers. Close ends what it started.
type Machine struct {
	Cluster        stream.Cluster
	DSN            string
	ClickHouseHTTP string // "" if the server is not its own
	InstanceID     string
	HMACSecret     string // keys the hashes of emails and phone numbers
	WriteKey       string // kept in the folder
	Epoch          uint32 // rebuild epoch
	Rebuilding     bool   // what was derived is being made anew in Epoch

	o          Options
	dir        string
	lock       *local.Lock
	embedded   *local.Embedded
	kafka      *local.Kafka
	clickhouse *local.ClickHouse
	ledger     ledger
	control    stream.Epoch // of the namespace, if there is one
	begun      bool         // the epoch of this start's rebuild is on disk
}

// Open takes the data folder and starts the servers. On an error everything it
// had started is stopped again.
func Open(ctx context.Context, o Options) (m *Machine, err error) {
	dir, err := filepath.Abs(o.Config.Data)
	if err != nil {
		return nil, err
	}
	m = &Machine{o: o, dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.Close())
			m = nil
		}
	}()
	if err := m.openFolder(ctx); err != nil {
		return m, err
	}
	if err := m.openKafka(ctx); err != nil {
		return m, err
	}
	if err := m.openClickHouse(ctx); err != nil {
		return m, err
	}
	if err := m.prepareTopics(ctx); err != nil {
		return m, err
	}
	return m, m.prepareTables(ctx)
}

func (m *Machine) openFolder(ctx context.Context) (err error) {
	if m.lock, err = local.LockFolder(shortly(ctx), m.dir); err != nil {
		return err
	}
	if m.InstanceID, err = local.InstanceID(m.dir); err != nil {
		return err
	}
	if m.HMACSecret = m.o.Config.Identity.Secret; m.HMACSecret == "" {
		if m.HMACSecret, err = local.Secret(m.dir, "identity"); err != nil {
			return err
		}
	}
	if m.WriteKey, err = local.Secret(m.dir, "write-key"); err != nil {
		return err
	}
	m.ledger, err = openLedger(m.dir)
	return err
}

func (m *Machine) openKafka(ctx context.Context) (err error) {
	switch m.o.Kafka {
	case "":
		m.embedded, err = local.StartEmbedded(ctx, filepath.Join(m.dir, "kafka"), m.o.KafkaPort, m.o.Log)
		if err == nil {
			m.Cluster = stream.Cluster{Brokers: []string{m.embedded.Addr()}}
		}
	case KafkaLocal:
		m.kafka, err = local.StartKafka(ctx, local.KafkaOptions{
			Dir: filepath.Join(m.dir, "kafka-local"), Port: m.o.KafkaPort, Log: m.o.Log,
		})
		if err == nil {
			m.Cluster = stream.Cluster{Brokers: []string{m.kafka.Addr()}}
		}
	default:
		m.Cluster = m.o.Config.Kafka.Cluster
	}
	return err
}

func (m *Machine) openClickHouse(ctx context.Context) (err error) {
	if !m.o.OwnClickHouse {
		m.DSN = m.o.Config.ClickHouse.DSN
		return nil
	}
	m.clickhouse, err = local.StartClickHouse(ctx, m.clickhouseOptions(m.o.ClickHousePort, m.o.ClickHouseHTTPPort))
	if err != nil {
		return err
	}
	m.DSN, m.ClickHouseHTTP = m.clickhouse.DSN(m.o.Config.Namespace), m.clickhouse.HTTP()
	return nil
}

func (m *Machine) clickhouseOptions(native, http int) local.ClickHouseOptions {
	return local.ClickHouseOptions{Dir: filepath.Join(m.dir, "clickhouse"), Port: native, HTTPPort: http, Log: m.o.Log}
}

// prepareTopics makes the topics, after an unclean stop of the embedded broker
// the derived ones anew: its open transactions may be torn.
func (m *Machine) prepareTopics(ctx context.Context) error {
	where := fmt.Sprintf("Kafka at %v", m.Cluster.Brokers)
	return app.WaitFor(ctx, m.o.Config.StartupTimeout, where, func(ctx context.Context) error {
		cl, err := stream.NewClient(m.Cluster, "startup", nil, nil)
		if err != nil {
			return app.Permanent(err)
		}
		defer cl.Close()
		if err := cl.Ping(ctx); err != nil {
			return err
		}
		why := ""
		if !m.begun {
			if why, err = m.follow(ctx, cl); err != nil {
				return err
			}
		}
		if why == "" {
			why = m.rebuildBecause()
		}
		if why != "" && !m.Rebuilding {
			if err := m.beginRebuild(ctx, cl, why); err != nil {
				return err
			}
		}
		if m.ledger.Model == "" {
			m.ledger.Model = m.o.Model.Name
			if err := m.ledger.save(); err != nil {
				return app.Permanent(err)
			}
		}
		m.Epoch, m.Rebuilding = m.ledger.Epoch, m.ledger.Rebuilding
		if err := stream.EnsureTopics(ctx, cl, m.o.Config.Namespace, stream.TopicOptions{
			Partitions: m.o.Config.Kafka.Partitions, Replication: m.o.Config.Kafka.Replication, Embedded: m.embedded != nil,
		}); err != nil {
			return err
		}
		return m.record(ctx, cl)
	})
}

func (m *Machine) prepareTables(ctx context.Context) error {
	return app.WaitFor(ctx, m.o.Config.StartupTimeout, "ClickHouse", func(ctx context.Context) error {
		conn, err := warehouse.Open(ctx, m.DSN)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		if err := warehouse.Migrate(ctx, conn, m.o.Config.Namespace); err != nil {
			return app.Permanent(err)
		}
		if m.begun { // what an earlier rebuild left half made
			if err := warehouse.DropNext(ctx, conn, m.o.Config.Namespace); err != nil {
				return err
			}
		}
		if m.Rebuilding {
			return nil // readers see the former model's rows: the end of the rebuild puts this one
		}
		return warehouse.PutModel(ctx, conn, m.o.Config.Namespace, m.o.Model)
	})
}

// Watch blocks until ctx ends or a server it started is gone for good. Its
// ClickHouse is started again: the engine ends when a client's connection is
// reset at a bad moment, which a kill -9 of any BI tool can do.
func (m *Machine) Watch(ctx context.Context) error {
	var kafka <-chan struct{}
	if m.kafka != nil {
		kafka = m.kafka.Done()
	}
	for {
		var clickhouse <-chan struct{}
		if m.clickhouse != nil {
			clickhouse = m.clickhouse.Done()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-kafka:
			return fmt.Errorf("the local Kafka has stopped: %w", m.kafka.Err())
		case <-clickhouse:
			m.o.Log.Warn("the local ClickHouse has stopped, starting it again", zap.Error(m.clickhouse.Err()))
			if err := m.restartClickHouse(ctx); err != nil {
				return err
			}
		}
	}
}

// restartClickHouse opens the engine again, on the same ports. The sink and the
// console find it there by themselves.
func (m *Machine) restartClickHouse(ctx context.Context) error {
	native, http := m.clickhouse.Ports()
	if err := m.clickhouse.Stop(); err != nil {
		m.o.Log.Debug("the ClickHouse that stopped", zap.Error(err)) // it has, whatever it says
	}
	o := m.clickhouseOptions(native, http)
	return app.WaitFor(ctx, m.o.Config.StartupTimeout, "the local ClickHouse", func(ctx context.Context) error {
		c, err := local.StartClickHouse(ctx, o)
		if err == nil {
			m.clickhouse = c
		}
		return err
	})
}

// Close stops the servers and gives the folder back. Clients must be closed before.
func (m *Machine) Close() error {
	var errs []error
	if m.clickhouse != nil {
		errs = append(errs, m.clickhouse.Stop())
	}
	if m.kafka != nil {
		errs = append(errs, m.kafka.Stop())
	}
	if m.embedded != nil {
		errs = append(errs, m.embedded.Close())
	}
	if m.lock != nil {
		m.lock.Unlock()
	}
	return errors.Join(errs...)
}
