package warehouse

import (
	"context"
	"fmt"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// names is what the DDL, the views and the checks are rendered with.
type names struct{ DB string }

// InForce is the condition that a row of a step's output belongs to what readers
// see: no complete rebuild of a higher epoch covers the row's time. A rebuild covers
// what is not before its from_at; the time of a row is its arrival or its end, in
// the column that is named, with the alias of its table if it needs one. Most rows
// are of the newest epoch, and cost one comparison.
func (n names) InForce(step, time string) string {
	epoch := "bitShiftRight(revision, 40)"
	if alias, _, ok := strings.Cut(time, "."); ok {
		epoch = "bitShiftRight(" + alias + ".revision, 40)"
	}
	return n.inForce(step, epoch, time)
}

// InForceAlways is InForce of rows without a time: only a rebuild of everything
// covers them.
func (n names) InForceAlways(step string) string {
	return n.inForce(step, "bitShiftRight(revision, 40)", "toDateTime64('1900-01-01 00:00:00.000', 3, 'UTC')")
}

func (n names) inForce(step, epoch, time string) string {
	epochs := "FROM " + n.DB + ".epochs WHERE step = '" + step + "'"
	return "(" + epoch + " >= (SELECT max(epoch) " + epochs + ")" +
		" OR NOT arrayExists(later -> later.1 > " + epoch + " AND later.2 <= " + time + "," +
		" (SELECT groupUniqArray((toUInt64(epoch), from_at)) " + epochs + ")))"
}

// NextNamespace names the database in which rows of a rebuild wait that is not
// complete: batches are inserted there as into the namespace itself.
func NextNamespace(namespace string) string { return namespace + "_next" }

// nextTables are those that have a table of rows that wait, in the order in which
// these move: journeys last, right before the rows that they replace are hidden.
func nextTables() []Table {
	return []Table{
		TableQuality, TableLate, TableIdentities, TableTouchpoints, TableSessions, TableTransitions, TableFrictions, TableJourneys,
	}
}

// CompleteEpoch is the number of the newest rebuild that both steps have completed,
// 0 if there was none: rows of higher epochs are not for readers yet.
func CompleteEpoch(ctx context.Context, conn driver.Conn, namespace string) (uint32, error) {
	var epoch uint32
	row := conn.QueryRow(ctx, "SELECT least(maxIf(epoch, step = 'device'), maxIf(epoch, step = 'profile')) FROM "+namespace+".epochs")
	if err := row.Scan(&epoch); err != nil {
		return 0, fmt.Errorf("read the rebuilds: %w", err)
	}
	return epoch, nil
}

// Epoch is a rebuild as the table epochs holds it; times in Unix ms.
type Epoch struct {
	Epoch           uint32
	FromMillis      int64 // by arrival
	CompletedMillis int64
}

// PutEpoch makes a rebuild what readers see: it moves the rows that wait, notes that
// the rebuild is complete, and moves what came meanwhile. Readers see each partition
// of a table as it was or as it is now; the whole takes as long as some metadata
// operations do. It may be repeated, and run in several processes at once.
func PutEpoch(ctx context.Context, conn driver.Conn, namespace string, e Epoch) error {
	if err := checkTimes("from_at completed_at", e.FromMillis, e.CompletedMillis); err != nil {
		return err
	}
	if err := oneServer(ctx, conn, namespace); err != nil {
		return err
	}
	if err := MoveNext(ctx, conn, namespace, e.Epoch); err != nil {
		return err
	}
	query := fmt.Sprintf("INSERT INTO %s.epochs (step, epoch, partition, from_at, completed_at) "+
		"SELECT arrayJoin(['device', 'profile']), %d, 0, fromUnixTimestamp64Milli(toInt64(%d)), fromUnixTimestamp64Milli(toInt64(%d))",
		namespace, e.Epoch, e.FromMillis, e.CompletedMillis)
	if err := conn.Exec(ctx, query); err != nil {
		return fmt.Errorf("note that rebuild %d is complete: %w", e.Epoch, err)
	}
	return MoveNext(ctx, conn, namespace, e.Epoch)
}

// MoveNext moves the rows that wait into the tables, a partition at a time, where
// they are of the given epoch or lower ones: it must be complete, or about to be.
// Another that moves at the same time does no harm.
func MoveNext(ctx context.Context, conn driver.Conn, namespace string, epoch uint32) error {
	for _, t := range nextTables() {
		ids, err := waiting(ctx, conn, namespace, t, epoch)
		if err != nil {
			return err
		}
		for _, id := range ids {
			query := fmt.Sprintf("ALTER TABLE %s.%s MOVE PARTITION ID '%s' TO TABLE %s.%s", NextNamespace(namespace), t, id, namespace, t)
			if err := conn.Exec(ctx, query); err != nil {
				return fmt.Errorf("move the rebuilt rows of %s: %w", t, err)
			}
		}
	}
	return nil
}

// waiting lists the partitions of a table whose rows wait for an epoch, and for no
// higher one.
func waiting(ctx context.Context, conn driver.Conn, namespace string, t Table, epoch uint32) ([]string, error) {
	rows, err := conn.Query(ctx, fmt.Sprintf("SELECT _partition_id FROM %s.%s GROUP BY _partition_id HAVING bitShiftRight(max(revision), 40) <= %d ORDER BY _partition_id",
		NextNamespace(namespace), t, epoch))
	if err != nil {
		return nil, fmt.Errorf("list the rebuilt partitions of %s: %w", t, err)
	}
	defer func() { _ = rows.Close() }()
	var list []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("list the rebuilt partitions of %s: %w", t, err)
		}
		list = append(list, id)
	}
	return list, rows.Err()
}

// DropNext forgets the rows that wait: those of a rebuild that was given up.
func DropNext(ctx context.Context, conn driver.Conn, namespace string) error {
	if err := oneServer(ctx, conn, namespace); err != nil {
		return err
	}
	for _, t := range nextTables() {
		if err := conn.Exec(ctx, "TRUNCATE TABLE IF EXISTS "+NextNamespace(namespace)+"."+string(t)); err != nil {
			return fmt.Errorf("drop what an earlier rebuild left in %s: %w", t, err)
		}
	}
	return nil
}

// oneServer is an error for a namespace of a cluster, whose partitions cannot be
// moved by way of its Distributed tables.
func oneServer(ctx context.Context, conn driver.Conn, namespace string) error {
	cluster, err := clusterOf(ctx, conn, namespace)
	if err == nil && cluster != "" {
		err = fmt.Errorf("%w %s: a rebuild there is not supported; replay into a new namespace instead", ErrCluster, cluster)
	}
	return err
}
