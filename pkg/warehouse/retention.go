package warehouse

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// MaxRetentionDays is the longest retention that can be asked for: the server counts
// the ends of retentions in seconds up to 2106.
const MaxRetentionDays = 20_000

// retentionColumn is what the retention of each table counts from. All revisions of a
// row must agree on it, or the last must have the latest: else an older one, or one
// that was withdrawn, would be seen again when the newer is gone.
func retentionColumn(t Table) string {
	switch t {
	case TableTouchpoints, TableLate:
		return "event_time"
	case TableRejected:
		return "received_at"
	case TableSessions, TableJourneys:
		return "minted_at"
	case TableTransitions, TableFrictions:
		return "inserted_at"
	case TableQuality:
		return "minute"
	default:
		return ""
	}
}

// RetentionTables are those that can have a retention.
func RetentionTables() []Table {
	return []Table{
		TableTouchpoints, TableLate, TableRejected, TableSessions, TableJourneys, TableTransitions, TableFrictions, TableQuality,
	}
}

// ttlDays finds the days in a table's engine as the server writes it.
var ttlDays = regexp.MustCompile(`TTL .*toIntervalDay\((\d+)\)`)

// PutRetention has the server delete rows of tables so many days after what
// retentionColumn says; 0 or no entry: never. What has changed is applied to the rows
// that are there, in the background; what has not is left alone. It needs the tables,
// so Migrate comes first.
func PutRetention(ctx context.Context, conn driver.Conn, namespace string, days map[Table]int) error {
	for _, t := range slices.Sorted(maps.Keys(days)) {
		if retentionColumn(t) == "" || days[t] < 0 || days[t] > MaxRetentionDays {
			return fmt.Errorf("retention of %s: %d days: want 0 to %d, and a table that has one", t, days[t], MaxRetentionDays)
		}
	}
	cluster, err := clusterOf(ctx, conn, namespace)
	if err != nil {
		return err
	}
	if cluster != "" {
		if slices.Max(append(slices.Collect(maps.Values(days)), 0)) > 0 {
			return fmt.Errorf("%w %s: a retention is not supported there", ErrCluster, cluster)
		}
		return nil
	}
	have, err := retentions(ctx, conn, namespace)
	if err != nil {
		return err
	}
	for _, t := range RetentionTables() {
		for _, db := range []string{namespace, NextNamespace(namespace)} {
			if t == TableRejected && db != namespace || have[db+"."+string(t)] == days[t] {
				continue
			}
			query := "ALTER TABLE " + db + "." + string(t) + " REMOVE TTL"
			if days[t] > 0 {
				query = fmt.Sprintf("ALTER TABLE %s.%s MODIFY TTL toDateTime(least(greatest(%s, toDateTime64('1971-01-01 00:00:00', 3, 'UTC')), toDateTime64('2050-01-01 00:00:00', 3, 'UTC'))) + toIntervalDay(%d)",
					db, t, retentionColumn(t), days[t])
			}
			if err := conn.Exec(ctx, query); err != nil {
				return fmt.Errorf("retention of %s.%s: %w", db, t, err)
			}
		}
	}
	return nil
}

// retentions reads the days of all tables that have a retention, by database.table.
func retentions(ctx context.Context, conn driver.Conn, namespace string) (map[string]int, error) {
	rows, err := conn.Query(ctx, "SELECT concat(database, '.', name), engine_full FROM system.tables WHERE database IN (?, ?)", namespace, NextNamespace(namespace))
	if err != nil {
		return nil, fmt.Errorf("read the retentions: %w", err)
	}
	defer func() { _ = rows.Close() }()
	have := map[string]int{}
	for rows.Next() {
		var table, engine string
		if err := rows.Scan(&table, &engine); err != nil {
			return nil, fmt.Errorf("read the retentions: %w", err)
		}
		if m := ttlDays.FindStringSubmatch(engine); m != nil {
			n, err := strconv.Atoi(m[1])
			if err != nil {
				return nil, fmt.Errorf("read the retention of %s: %w", table, err)
			}
			have[table] = n
		}
	}
	return have, rows.Err()
}
