package warehouse

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/cairnhq/cairn/pkg/wire"
)

// erasing is one kind of row that goes, in the order in which they go: what others
// are found by goes last, so that an erasure that was stopped finds the rest.
type erasing struct {
	table string
	where string
}

// erasings lists what of a database is the person's.
func (p *Person) erasings(ctx context.Context, conn driver.Conn, db string) ([]erasing, error) {
	shared, err := p.sharedSessions(ctx, conn, db)
	if err != nil {
		return nil, err
	}
	theirs := "SELECT identifier, message_id FROM " + db + ".touchpoints WHERE " + p.touchpoints()
	told := "((" + p.names("profile") + " AND " + p.before("at") + ") OR (identifier, touchpoint_id) IN (" + theirs + "))"
	return []erasing{
		{"frictions", told},
		{"transitions", told},
		{"journeys", "(" + p.names("profile") + " AND " + p.before("started_at") + ")"},
		{"sessions", "((" + p.names("identifier") + " AND " + p.before("started_at") + ") OR " + shared + ")"},
		{"rejected", p.rejected()},
		{"late", p.touchpoints()},
		{"touchpoints", p.touchpoints()},
		{"identities", p.maps()},
	}, nil
}

// sharedSessions is the condition that a row is of a session of a shared identifier
// that the person took part in. The newest row of one that was made anew, from what
// others did in it, stays. It is written out, because a delete from a table that reads
// the same table does not end.
func (p *Person) sharedSessions(ctx context.Context, conn driver.Conn, db string) (string, error) {
	if len(p.Shared) == 0 {
		return "0", nil
	}
	shared := in("identifier", p.shared())
	rows, err := conn.Query(ctx, "SELECT session_id, max(revision), session_id IN (SELECT session_id FROM "+db+".touchpoints WHERE "+shared+
		" AND actor != 'business' AND NOT "+p.touchpoints()+") FROM "+db+".sessions WHERE "+shared+
		" AND session_id IN (SELECT session_id FROM "+db+".touchpoints WHERE "+shared+" AND "+p.touchpoints()+") GROUP BY session_id")
	if err != nil {
		return "", fmt.Errorf("look for shared sessions: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var gone, old []string
	for rows.Next() {
		var id string
		var revision uint64
		var stays uint8
		if err := rows.Scan(&id, &revision, &stays); err != nil {
			return "", fmt.Errorf("look for shared sessions: %w", err)
		}
		if stays == 0 {
			gone = append(gone, id)
		} else {
			old = append(old, fmt.Sprintf("(session_id = %s AND revision < %d)", quoted(id), revision))
		}
	}
	return "(" + strings.Join(append(old, in("session_id", gone)), " OR ") + ")", rows.Err()
}

// Erasable is an error for a namespace of a cluster, from whose Distributed tables
// nothing can be deleted.
func Erasable(ctx context.Context, conn driver.Conn, namespace string) error {
	cluster, err := clusterOf(ctx, conn, namespace)
	if err == nil && cluster != "" {
		err = fmt.Errorf("%w %s: to forget persons is not supported there", ErrCluster, cluster)
	}
	return err
}

// CountPerson counts the rows that are stored of a person, by table; those of an
// unfinished rebuild included.
func CountPerson(ctx context.Context, conn driver.Conn, namespace string, p *Person) (map[string]uint64, error) {
	counts := map[string]uint64{}
	for _, db := range []string{namespace, NextNamespace(namespace)} {
		list, err := p.erasings(ctx, conn, db)
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			if e.table == string(TableRejected) && db != namespace {
				continue
			}
			n, err := count(ctx, conn, "SELECT count() FROM "+db+"."+e.table+" WHERE "+e.where)
			if err != nil {
				return nil, fmt.Errorf("count %s.%s: %w", db, e.table, err)
			}
			if n > 0 {
				counts[e.table] += n
			}
		}
		n, err := count(ctx, conn, "SELECT count() FROM "+db+".touchpoints WHERE "+p.mentions())
		if err != nil {
			return nil, fmt.Errorf("count mentions: %w", err)
		}
		if n > 0 {
			counts["mentions"] += n
		}
	}
	return counts, nil
}

func count(ctx context.Context, conn driver.Conn, query string) (n uint64, err error) {
	err = conn.QueryRow(ctx, query).Scan(&n)
	return n, err
}

// eraseRounds bounds how often what a sink inserts meanwhile is looked for again.
const eraseRounds = 10

// ErasePerson deletes what is stored of a person, and counts until nothing is found
// in any table or dictionary. Then the deleted rows are removed from disk. It may be
// repeated.
func ErasePerson(ctx context.Context, conn driver.Conn, namespace string, p *Person) error {
	dbs := []string{namespace, NextNamespace(namespace)}
	for round := 0; ; round++ {
		for _, db := range dbs {
			if err := p.eraseFrom(ctx, conn, namespace, db); err != nil {
				return err
			}
		}
		left, err := CountPerson(ctx, conn, namespace, p)
		if err != nil {
			return err
		}
		if len(left) == 0 {
			break
		}
		if round == eraseRounds {
			return fmt.Errorf("rows of the person come back faster than they are deleted: %v; is an old sink running? Run the command again", left)
		}
	}
	for _, db := range dbs {
		list, err := p.erasings(ctx, conn, db)
		if err != nil {
			return err
		}
		for _, e := range list {
			if e.table == string(TableRejected) && db != namespace {
				continue
			}
			// The server keeps the text of the last 100 changes, by default, and names are
			// written out in deletes: of the last one only, which is the second of these.
			for _, change := range []string{"MODIFY SETTING finished_mutations_to_keep = 1", "APPLY DELETED MASK SETTINGS mutations_sync = 2"} {
				if err := conn.Exec(ctx, "ALTER TABLE "+db+"."+e.table+" "+change); err != nil {
					return fmt.Errorf("remove deleted rows of %s.%s from disk: %w", db, e.table, err)
				}
			}
		}
	}
	if err := refresh(ctx, conn, namespace); err != nil {
		return err
	}
	return p.sweep(ctx, conn, namespace)
}

func (p *Person) eraseFrom(ctx context.Context, conn driver.Conn, namespace, db string) error {
	const settings = " SETTINGS lightweight_deletes_sync = 2, lightweight_mutation_projection_mode = 'rebuild', allow_nondeterministic_mutations = 1"
	list, err := p.erasings(ctx, conn, db)
	if err != nil {
		return err
	}
	for _, e := range list {
		if e.table == string(TableRejected) && db != namespace {
			continue
		}
		n, err := count(ctx, conn, "SELECT count() FROM "+db+"."+e.table+" WHERE "+e.where)
		if err != nil {
			return fmt.Errorf("count %s.%s: %w", db, e.table, err)
		}
		if n == 0 {
			continue // a delete would rewrite parts for nothing
		}
		if err := conn.Exec(ctx, "DELETE FROM "+db+"."+e.table+" WHERE "+e.where+settings); err != nil {
			return fmt.Errorf("delete from %s.%s: %w", db, e.table, err)
		}
	}
	n, err := count(ctx, conn, "SELECT count() FROM "+db+".touchpoints WHERE "+p.mentions())
	if err != nil || n == 0 {
		return err
	}
	return conn.Exec(ctx, "ALTER TABLE "+db+".touchpoints UPDATE other_identifiers = arrayFilter(i -> NOT has("+array(p.Whole)+", i), other_identifiers) WHERE "+
		p.mentions()+" SETTINGS mutations_sync = 2")
}

// databases are all of a namespace. Others' names may begin like them.
func databases(namespace string) []string {
	return []string{namespace, NextNamespace(namespace), namespace + "_bi", namespace + "_api", shardNamespace(namespace)}
}

// refresh makes roll-ups and dictionaries anew.
func refresh(ctx context.Context, conn driver.Conn, namespace string) error {
	ours := in("database", databases(namespace))
	for _, kind := range []struct{ list, do string }{
		{"SELECT concat(database, '.', view) FROM system.view_refreshes WHERE " + ours, "SYSTEM REFRESH VIEW %s;SYSTEM WAIT VIEW %s"},
		{"SELECT concat(database, '.', name) FROM system.dictionaries WHERE " + ours, "SYSTEM RELOAD DICTIONARY %s"},
	} {
		names, err := column(ctx, conn, kind.list)
		if err != nil {
			return err
		}
		for _, name := range names {
			db, name, _ := strings.Cut(name, ".")
			name = db + "." + identifier(name)
			for query := range strings.SplitSeq(strings.ReplaceAll(kind.do, "%s", name), ";") {
				if err := conn.Exec(ctx, query); err != nil {
					return fmt.Errorf("refresh %s: %w", name, err)
				}
			}
		}
	}
	return nil
}

// sweep looks for the person's identifiers in every text column of every table and
// dictionary, those that this program does not know included. Identifiers with newer
// touchpoints are there rightly.
func (p *Person) sweep(ctx context.Context, conn driver.Conn, namespace string) error {
	if p.Until != math.MaxInt64 {
		n, err := count(ctx, conn, "SELECT count() FROM "+namespace+".touchpoints WHERE "+in("user_id", p.Users)+" OR "+p.names("identifier")+" OR hasAny(other_identifiers, "+array(p.Whole)+")")
		if err != nil || n > 0 {
			return err
		}
	}
	rows, err := conn.Query(ctx, `SELECT c.database, c.table, groupArray(c.name), groupArray(c.type)
		FROM system.columns AS c INNER JOIN system.tables AS t ON t.database = c.database AND t.name = c.table
		WHERE `+in("c.database", databases(namespace))+` AND (t.engine LIKE '%MergeTree' OR t.engine = 'Dictionary')
		  AND c.type IN ('String', 'LowCardinality(String)', 'Nullable(String)', 'LowCardinality(Nullable(String))', 'Array(String)', 'Array(LowCardinality(String))')
		GROUP BY c.database, c.table`)
	if err != nil {
		return fmt.Errorf("list the columns: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var db, table string
		var names, types []string
		if err := rows.Scan(&db, &table, &names, &types); err != nil {
			return err
		}
		table = db + "." + identifier(table)
		var named []string
		for i, name := range names {
			if strings.HasPrefix(types[i], "Array") {
				named = append(named, "hasAny("+identifier(name)+", "+array(p.Whole)+")")
			} else {
				named = append(named, in(identifier(name), p.Whole))
			}
		}
		n, err := count(ctx, conn, "SELECT count() FROM "+table+" WHERE "+strings.Join(named, " OR "))
		if err != nil {
			return fmt.Errorf("look into %s: %w", table, err)
		}
		if n > 0 {
			return fmt.Errorf("%d rows of %s still name the person, in %s: a table that cairn does not know? Delete them, then run the command again",
				n, table, strings.Join(naming(ctx, conn, table, names, named), ", "))
		}
	}
	return rows.Err()
}

// naming lists the columns of a table in which a condition holds, for a message.
func naming(ctx context.Context, conn driver.Conn, table string, columns, conditions []string) (list []string) {
	for i, c := range columns {
		if n, err := count(ctx, conn, "SELECT count() FROM "+table+" WHERE "+conditions[i]); err != nil || n > 0 {
			list = append(list, c)
		}
	}
	return list
}

// CountForgotten counts, per minute of arrival and source, what an epoch's accounts
// say of a person.
func CountForgotten(ctx context.Context, conn driver.Conn, namespace string, p *Person, epoch uint32) ([]wire.Forgotten, error) {
	var parts []string
	for _, db := range []string{namespace, NextNamespace(namespace)} {
		of := " AND bitShiftRight(revision, 40) = " + strconv.FormatUint(uint64(epoch), 10)
		parts = append(parts,
			"SELECT 0 AS kind, identifier AS a, message_id AS b, received_at, source FROM "+db+".touchpoints FINAL WHERE "+p.touchpoints()+of,
			"SELECT 1, origin, '', received_at, source FROM "+db+".late FINAL WHERE "+p.touchpoints()+of)
	}
	parts = append(parts, "SELECT 2, origin, '', received_at, source FROM "+namespace+".rejected FINAL WHERE "+p.rejected()+
		" AND startsWith(origin, "+quoted(namespace+".touchpoints.raw/")+")")
	rows, err := conn.Query(ctx, `SELECT toInt64(toUnixTimestamp(toStartOfMinute(received_at))) * 1000 AS minute, toString(source),
		uniqExactIf((a, b), kind = 0), uniqExactIf((a, b), kind = 1), uniqExactIf((a, b), kind = 2)
		FROM (`+strings.Join(parts, " UNION ALL ")+`) GROUP BY minute, source ORDER BY minute, source`)
	if err != nil {
		return nil, fmt.Errorf("count what is forgotten: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var list []wire.Forgotten
	for rows.Next() {
		var f wire.Forgotten
		if err := rows.Scan(&f.Minute, &f.Source, &f.Touchpoints, &f.Late, &f.Rejected); err != nil {
			return nil, fmt.Errorf("count what is forgotten: %w", err)
		}
		list = append(list, f)
	}
	return list, rows.Err()
}

// KeysOf lists the ids of a person's sessions and journeys, and the identifiers whose
// maps name them alone: the keys of compacted topics that have to go.
func KeysOf(ctx context.Context, conn driver.Conn, namespace string, p *Person) (sessions, journeys []string, err error) {
	for _, db := range []string{namespace, NextNamespace(namespace)} {
		list, err := column(ctx, conn, "SELECT DISTINCT session_id FROM "+db+".sessions WHERE "+p.names("identifier")+" AND "+p.before("started_at"))
		if err != nil {
			return nil, nil, err
		}
		sessions = append(sessions, list...)
		if list, err = column(ctx, conn, "SELECT DISTINCT journey_id FROM "+db+".journeys WHERE "+p.names("profile")+" AND "+p.before("started_at")); err != nil {
			return nil, nil, err
		}
		journeys = append(journeys, list...)
	}
	return sessions, journeys, nil
}

// PutErasure writes the record that an erasure is complete.
func PutErasure(ctx context.Context, conn driver.Conn, namespace string, e *wire.Erasure) error {
	until := time.UnixMilli(min(e.UntilMillis, maxMillis)).UTC()
	if err := conn.Exec(ctx, "INSERT INTO "+namespace+".erasures (erasure_id, requested_at, completed_at, until, asked, subjects, rows) VALUES (?, ?, ?, ?, ?, ?, ?)",
		e.ID, time.UnixMilli(e.RequestedMillis).UTC(), time.UnixMilli(e.CompletedMillis).UTC(), until, e.Asked, uint64(len(e.Subjects)), e.Rows); err != nil {
		return fmt.Errorf("note the erasure: %w", err)
	}
	return nil
}
