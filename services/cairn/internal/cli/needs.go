package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/cairnhq/cairn/pkg/app"
	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/warehouse"
)

// dependency is something a service cannot start without.
type dependency struct {
	name  string // in /readyz
	where string // in messages
	try   func(context.Context) error
	gate  *app.Gate
}

func (d dependency) await(ctx context.Context, p *process) error {
	last := ""
	return app.WaitFor(ctx, p.cfg.StartupTimeout, d.name+" at "+d.where, d.gate.Track(func(ctx context.Context) error {
		err := d.try(ctx)
		if err != nil && err.Error() != last { // once per reason, not per try
			last = err.Error()
			p.log.Warn("waiting for "+d.name, zap.String("at", d.where), zap.Error(err))
		}
		return err
	}))
}

// needsKafka waits for the brokers and, with topics, makes the namespace's
// missing topics.
func needsKafka(cfg *app.Config, topics bool) dependency {
	return dependency{name: "kafka", where: strings.Join(cfg.Kafka.Brokers, ","), try: func(ctx context.Context) error {
		cl, err := stream.NewClient(cfg.Kafka.Cluster, "startup", nil, nil)
		if err != nil {
			return app.Permanent(err)
		}
		defer cl.Close()
		if err := cl.Ping(ctx); err != nil {
			return shorten(err)
		}
		if !topics {
			return nil
		}
		err = stream.EnsureTopics(ctx, cl, cfg.Namespace, stream.TopicOptions{
			Partitions: cfg.Kafka.Partitions, Replication: cfg.Kafka.Replication,
		})
		if err != nil && !passes(err) {
			return app.Permanent(err)
		}
		return err
	}}
}

// passes says whether an error of Kafka may go away by itself.
func passes(err error) bool {
	var ne net.Error
	return kerr.IsRetriable(err) || kgo.IsRetryableBrokerErr(err) || errors.As(err, &ne) ||
		errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, kgo.ErrClientClosed)
}

// shorten keeps of a dial error what an operator needs: the client wraps it in
// advice for programmers.
func shorten(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op
	}
	return err
}

// needsClickHouse waits for the server of clickhouse.dsn. The database of the
// DSN need not exist yet.
func needsClickHouse(cfg *app.Config) dependency {
	return dependency{name: "clickhouse", where: clickhouseHost(cfg), try: func(ctx context.Context) error {
		o, err := clickhouse.ParseDSN(cfg.ClickHouse.DSN)
		if err != nil {
			return app.Permanent(fmt.Errorf("clickhouse.dsn: %w", err))
		}
		o.Auth.Database = ""
		conn, err := clickhouse.Open(o)
		if err != nil {
			return app.Permanent(fmt.Errorf("clickhouse.dsn: %w", err))
		}
		defer func() { _ = conn.Close() }()
		return conn.Ping(ctx)
	}}
}

// kafkaError names the brokers in an error of reaching them.
func kafkaError(cfg *app.Config, err error) error {
	var op *net.OpError
	if errors.As(err, &op) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("kafka at %s is not reachable: %w (is cairn up running? else say where with --kafka)", strings.Join(cfg.Kafka.Brokers, ","), shorten(err))
	}
	return err
}

// clickhouseError names the server in an error of reaching it.
func clickhouseError(cfg *app.Config, err error) error {
	var op *net.OpError
	if errors.As(err, &op) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("clickhouse at %s is not reachable: %w (is cairn up running? else say where with --clickhouse)", clickhouseHost(cfg), shorten(err))
	}
	return err
}

// clickhouseHost is the DSN without what may be secret.
func clickhouseHost(cfg *app.Config) string {
	if u, err := url.Parse(cfg.ClickHouse.DSN); err == nil {
		return u.Host
	}
	return "clickhouse.dsn"
}

// needsTables brings the databases up to date and writes the model's stages, as
// the views need them; not those of a model whose rows readers do not see, because a
// replay to it is not complete, or one away from it is.
func needsTables(cfg *app.Config, m *journey.Model) dependency {
	return dependency{name: "tables", where: clickhouseHost(cfg), try: func(ctx context.Context) error {
		shown, err := modelShown(ctx, cfg, m)
		if err != nil {
			return err
		}
		if !shown {
			return migrate(ctx, cfg, nil)
		}
		return migrate(ctx, cfg, m)
	}}
}

// modelShown says whether a model is the one that the namespace's control record
// lets readers see.
func modelShown(ctx context.Context, cfg *app.Config, m *journey.Model) (bool, error) {
	cl, err := stream.NewClient(cfg.Kafka.Cluster, "startup", nil, nil)
	if err != nil {
		return false, app.Permanent(err)
	}
	defer cl.Close()
	c, ok, err := stream.CurrentEpoch(ctx, cl, cfg.Namespace)
	if err != nil {
		return false, shorten(err)
	}
	return !ok || c.State == stream.EpochComplete && c.Model == m.Name, nil
}

// migrate is what cairn migrate does, and every sink at its start. A nil model is not
// written.
func migrate(ctx context.Context, cfg *app.Config, m *journey.Model) error {
	conn, err := warehouse.Open(ctx, cfg.ClickHouse.DSN)
	if err != nil {
		return clickhouseError(cfg, err)
	}
	defer func() { _ = conn.Close() }()
	err = warehouse.Migrate(ctx, conn, cfg.Namespace)
	if warehouse.AccessDenied(err) { // a writer need not be able to, where nothing is to be done
		if p, planned := warehouse.PlanMigrate(ctx, conn, cfg.Namespace); planned == nil && len(p.Migrations) == 0 {
			err = nil
		}
	}
	if err != nil {
		return app.Permanent(err)
	}
	if m == nil {
		return nil
	}
	return warehouse.PutModel(ctx, conn, cfg.Namespace, m)
}
