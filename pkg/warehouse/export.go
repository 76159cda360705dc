package warehouse

import (
	"context"
	"fmt"
	"reflect"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// ExportTables are the tables that ExportPerson reads, in its order.
func ExportTables() []Table {
	return []Table{
		TableIdentities, TableTouchpoints, TableLate, TableRejected, TableSessions, TableJourneys, TableTransitions, TableFrictions,
	}
}

// ExportPerson calls fn with every row of a table that is stored of a person, as
// column names and values. Of several revisions of a row it is the last. Sessions of
// shared identifiers are those that the person took part in.
func ExportPerson(ctx context.Context, conn driver.Conn, namespace string, p *Person, table Table, fn func(row map[string]any) error) error {
	where, err := p.exported(namespace, table)
	if err != nil {
		return err
	}
	rows, err := conn.Query(ctx, "SELECT * FROM "+namespace+"."+string(table)+" FINAL WHERE "+where+" ORDER BY ALL")
	if err != nil {
		return fmt.Errorf("read %s: %w", table, err)
	}
	defer func() { _ = rows.Close() }()
	columns, types := rows.Columns(), rows.ColumnTypes()
	for rows.Next() {
		into := make([]any, len(types))
		for i, t := range types {
			into[i] = reflect.New(t.ScanType()).Interface()
		}
		if err := rows.Scan(into...); err != nil {
			return fmt.Errorf("read %s: %w", table, err)
		}
		row := make(map[string]any, len(columns))
		for i, name := range columns {
			row[name] = reflect.ValueOf(into[i]).Elem().Interface()
		}
		if err := fn(row); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read %s: %w", table, err)
	}
	return nil
}

// exported is the condition that a row of a table is the person's.
func (p *Person) exported(db string, table Table) (string, error) {
	theirs := " FROM " + db + ".touchpoints WHERE " + p.touchpoints()
	switch table {
	case TableTouchpoints, TableLate:
		return p.touchpoints(), nil
	case TableRejected:
		return p.rejected(), nil
	case TableIdentities:
		return p.maps(), nil
	case TableSessions:
		return "((" + p.names("identifier") + " AND " + p.before("started_at") + ") OR session_id IN (SELECT session_id" + theirs + "))", nil
	case TableJourneys:
		return "(" + p.names("profile") + " AND " + p.before("started_at") + ")", nil
	case TableTransitions, TableFrictions:
		return "((" + p.names("profile") + " AND " + p.before("at") + ") OR (identifier, touchpoint_id) IN (SELECT identifier, message_id" + theirs + "))", nil
	default:
		return "", fmt.Errorf("the table %s is about nobody", table)
	}
}
