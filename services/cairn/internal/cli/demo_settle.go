package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/services/console/mapview"
	"github.com/cairnhq/cairn/services/monitor"
)

// settlePoll is the time between two looks, settlePatience how long nothing may
// change before the demo gives up.
const (
	settlePoll     = 200 * time.Millisecond
	settlePatience = time.Minute
)

// settler waits until everything sent has gone through.
type settler struct {
	d       *demo
	conn    driver.Conn
	monitor *monitor.Service
}

func newSettler(ctx context.Context, conn driver.Conn, d *demo, b *banner) (*settler, error) {
	m, err := monitor.New(ctx, monitor.Options{
		Namespace: d.up.cfg.Namespace, Cluster: stream.Cluster{Brokers: strings.Split(b.Kafka, ",")},
	})
	if err != nil {
		return nil, err
	}
	return &settler{d: d, conn: conn, monitor: m}, nil
}

// settled are counts that no longer change once everything is in ClickHouse.
type settled struct {
	accepted, touchpoints, rejected, sessions, journeys, transitions uint64
}

func (s *settler) counts(ctx context.Context) (c settled, err error) {
	ns := s.d.up.cfg.Namespace
	err = s.conn.QueryRow(ctx, fmt.Sprintf(`SELECT
		(SELECT sum(accepted) FROM %[1]s_bi.v_data_quality), (SELECT count() FROM %[1]s.touchpoints FINAL),
		(SELECT count() FROM %[1]s_bi.v_rejected), (SELECT count() FROM %[1]s_bi.v_sessions),
		(SELECT count() FROM %[1]s_bi.v_journeys), (SELECT count() FROM %[1]s_bi.v_transitions)`, ns)).
		Scan(&c.accepted, &c.touchpoints, &c.rejected, &c.sessions, &c.journeys, &c.transitions)
	if err != nil {
		return c, fmt.Errorf("count what has arrived: %w", err)
	}
	return c, nil
}

// wait returns once every acknowledged event is accounted for, no group is
// behind, and two looks in a row see the same.
func (s *settler) wait(ctx context.Context, r *demoResult) error {
	var last settled
	var caughtUp bool // at the look before
	changed := time.Now()
	for {
		now, err := s.counts(ctx)
		if err != nil {
			return err
		}
		s.d.progress.say(fmt.Sprintf("arriving: %s of %s events are in ClickHouse", mapview.FormatCount(now.accepted), mapview.FormatCount(r.Acknowledged)))
		if now.accepted >= r.Acknowledged { // more, if a batch was taken and sent again all the same
			behind, err := s.behind(ctx)
			if err != nil {
				return err
			}
			if behind == "" && caughtUp && now == last {
				return nil
			}
			caughtUp = behind == ""
		}
		if now != last {
			last, changed = now, time.Now()
		}
		if time.Since(changed) > settlePatience {
			return s.stuck(ctx, now, r)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(settlePoll):
		}
	}
}

// stuck says what is missing after nothing has changed for too long.
func (s *settler) stuck(ctx context.Context, now settled, r *demoResult) error {
	behind, err := s.behind(ctx)
	if err == nil && behind == "" {
		behind = "no group is behind"
	}
	return errors.Join(fmt.Errorf("%d of %d acknowledged events are in ClickHouse and nothing has moved for %s: %s",
		now.accepted, r.Acknowledged, settlePatience, behind), err)
}

// behind names a group that has work left; "": none has.
func (s *settler) behind(ctx context.Context) (string, error) {
	snap, err := s.monitor.Snapshot(ctx)
	if err != nil {
		return "", shorten(err)
	}
	for _, p := range snap.Partitions {
		empty := p.Lag == nil && p.Start != nil && p.End != nil && *p.Start == *p.End
		if !empty && (p.Lag == nil || *p.Lag > 0) {
			return fmt.Sprintf("group %s on %s/%d: %s", p.Group, p.Topic, p.Partition, p.Reason), nil
		}
	}
	return "", nil
}
