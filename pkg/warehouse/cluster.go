package warehouse

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	schemas "github.com/cairnhq/cairn/schemas/clickhouse"
)

// On a cluster each table of the namespace is a Distributed one, of the same name
// and columns, over a table of each host in the database NS_shard (those of NS_next
// have the suffix _next there). Rows are spread by the hash of the first column of
// the sorting key, so that all revisions of a row meet on one shard, where FINAL
// finds them. Hosts are migrated one by one, over connections of their own: neither
// ON CLUSTER nor a Keeper is needed where a shard has one host.

// MigrateCluster is Migrate for the hosts of a cluster that the server's
// configuration defines, reached with the user and password of the DSN. Tables are
// replicated where the hosts define the macros shard and replica; a shard of several
// hosts must. It may be repeated, to bring up a host that was added.
func MigrateCluster(ctx context.Context, dsn, namespace, cluster string) error {
	return eachHost(ctx, dsn, namespace, cluster, func(m *migrator) error {
		if err := m.conn.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+shardNamespace(namespace)); err != nil {
			return fmt.Errorf("create database %s: %w", shardNamespace(namespace), err)
		}
		return m.run(ctx)
	})
}

// PlanCluster returns what MigrateCluster would do, by host, and changes nothing.
func PlanCluster(ctx context.Context, dsn, namespace, cluster string) (map[string]Plan, error) {
	plans := map[string]Plan{}
	err := eachHost(ctx, dsn, namespace, cluster, func(m *migrator) error {
		p, err := m.plan(ctx)
		plans[m.rewrite.host] = p
		return err
	})
	return plans, err
}

func shardNamespace(namespace string) string { return namespace + "_shard" }

// clusterHost is a row of system.clusters.
type clusterHost struct {
	addr  string
	shard uint32
}

// eachHost calls do with a migrator of each host of the cluster.
func eachHost(ctx context.Context, dsn, namespace, cluster string, do func(*migrator) error) error {
	if err := CheckNamespace(namespace); err != nil {
		return err
	}
	conn, err := Open(ctx, dsn)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	hosts, err := clusterHosts(ctx, conn, cluster)
	if err != nil {
		return err
	}
	several := map[uint32]int{}
	for _, h := range hosts {
		several[h.shard]++
	}
	for _, h := range hosts {
		if err := onHost(ctx, dsn, namespace, cluster, h, several[h.shard] > 1, do); err != nil {
			return fmt.Errorf("host %s of the cluster %s: %w", h.addr, cluster, err)
		}
	}
	return nil
}

func onHost(ctx context.Context, dsn, namespace, cluster string, h clusterHost, several bool, do func(*migrator) error) error {
	conn, err := openAt(dsn, h.addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	// The joins of the views find nothing where no host of the cluster is the one that is asked.
	var itself uint64
	if err := conn.QueryRow(ctx, "SELECT countIf(is_local) FROM system.clusters WHERE cluster = ?", cluster).Scan(&itself); err != nil {
		return fmt.Errorf("read system.clusters: %w", err)
	}
	if itself == 0 {
		return fmt.Errorf("it does not know itself in the cluster (no is_local in its system.clusters): define %s there with the address and the port that it listens on", cluster)
	}
	var macros uint64
	if err := conn.QueryRow(ctx, "SELECT count() FROM system.macros WHERE macro IN ('shard', 'replica')").Scan(&macros); err != nil {
		return fmt.Errorf("read its macros: %w", err)
	}
	replicated := macros == 2
	if several && !replicated {
		return errors.New("its shard has several hosts, whose tables must be replicated: define the macros {shard} and {replica} in its configuration, and a Keeper")
	}
	was, err := clusterOf(ctx, conn, namespace)
	if err != nil {
		return err
	}
	var plain uint64
	if err := conn.QueryRow(ctx, "SELECT count() FROM system.tables WHERE database = ? AND name = 'touchpoints' AND engine != 'Distributed'", namespace).Scan(&plain); err != nil {
		return fmt.Errorf("look for earlier tables: %w", err)
	}
	if plain > 0 || (was != "" && was != cluster) {
		return fmt.Errorf("%s is there already, and not of this cluster: take another namespace, or move its data first", namespace)
	}
	rw, err := newRewriter(namespace, cluster, replicated)
	if err != nil {
		return err
	}
	rw.host = h.addr
	return do(&migrator{conn: conn, namespace: namespace, migrations: schemas.Migrations, views: schemas.Views, rewrite: rw})
}

func clusterHosts(ctx context.Context, conn driver.Conn, cluster string) ([]clusterHost, error) {
	rows, err := conn.Query(ctx, "SELECT host_name, port, shard_num FROM system.clusters WHERE cluster = ? ORDER BY shard_num, replica_num", cluster)
	if err != nil {
		return nil, fmt.Errorf("read system.clusters: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var list []clusterHost
	for rows.Next() {
		var host string
		var port uint16
		var h clusterHost
		if err := rows.Scan(&host, &port, &h.shard); err != nil {
			return nil, fmt.Errorf("read system.clusters: %w", err)
		}
		h.addr = net.JoinHostPort(host, strconv.Itoa(int(port)))
		list = append(list, h)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read system.clusters: %w", err)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("the server's configuration has no cluster %q: see system.clusters", cluster)
	}
	return list, nil
}

var distributedEngine = regexp.MustCompile(`^Distributed\('([^']+)'`)

// clusterOf is the cluster that a namespace is spread over, "" if it is not.
func clusterOf(ctx context.Context, conn driver.Conn, namespace string) (string, error) {
	rows, err := conn.Query(ctx, "SELECT engine_full FROM system.tables WHERE database = ? AND name = 'touchpoints'", namespace)
	if err != nil {
		return "", fmt.Errorf("look for the table touchpoints: %w", err)
	}
	defer func() { _ = rows.Close() }()
	cluster := ""
	for rows.Next() {
		var engine string
		if err := rows.Scan(&engine); err != nil {
			return "", fmt.Errorf("look for the table touchpoints: %w", err)
		}
		if match := distributedEngine.FindStringSubmatch(engine); match != nil {
			cluster = match[1]
		}
	}
	return cluster, rows.Err()
}

// openAt is Open for another host, with the same user and options. It does not ping.
func openAt(dsn, addr string) (driver.Conn, error) {
	return openLazy(dsn, func(o *clickhouse.Options) { o.Addr = []string{addr} })
}

// rewriter turns the statements of migrations into those for a host of a cluster.
type rewriter struct {
	namespace, cluster, host string
	replicated               bool
	engines                  map[string]engineClause // by table of the namespace
}

// engineClause is what follows the columns of a CREATE TABLE.
type engineClause struct {
	engine  string // from ENGINE to before COMMENT
	comment string // COMMENT '...', may be empty
	key     string // first column of the sorting key
}

var (
	createTable   = regexp.MustCompile(`(?s)^CREATE TABLE IF NOT EXISTS (\w+)\.(\w+)\s*\((.*)\)\s*(ENGINE = ReplacingMergeTree\((\w+)\).*?ORDER BY \(?(\w+).*?)(COMMENT '(?:[^']|'')*')?\s*$`)
	createAs      = regexp.MustCompile(`^CREATE TABLE IF NOT EXISTS (\w+)\.(\w+) AS (\w+)\.(\w+)$`)
	alterTable    = regexp.MustCompile(`(?s)^ALTER TABLE (\w+)\.(\w+)\s+(.*)$`)
	alterColumns  = regexp.MustCompile(`^(ADD|DROP|MODIFY|RENAME|COMMENT) COLUMN|^MODIFY COMMENT`)
	engineVersion = regexp.MustCompile(`^ENGINE = ReplacingMergeTree\((\w+)\)`)
)

// newRewriter reads the engines of all tables of rows from the migrations.
func newRewriter(namespace, cluster string, replicated bool) (*rewriter, error) {
	rw := &rewriter{namespace: namespace, cluster: cluster, replicated: replicated, engines: map[string]engineClause{}}
	list, err := readMigrations(schemas.Migrations)
	if err != nil {
		return nil, err
	}
	for _, f := range list {
		s, err := render(namespace, f.file, f.text)
		if err != nil {
			return nil, err
		}
		for _, st := range s.statements {
			if m := createTable.FindStringSubmatch(st.text); m != nil {
				rw.engines[m[2]] = engineClause{engine: strings.TrimSpace(m[4]), comment: m[7], key: m[6]}
			}
		}
	}
	return rw, nil
}

// script rewrites a file.
func (rw *rewriter) script(s script) (script, error) {
	out := script{file: s.file}
	for _, st := range s.statements {
		texts, err := rw.statement(st.text)
		if err != nil {
			return out, fmt.Errorf("%s:%d: %w", s.file, st.line, err)
		}
		for _, text := range texts {
			out.statements = append(out.statements, statement{text, st.line})
		}
	}
	return out, nil
}

// statement rewrites one statement. Those that touch no table of rows stay as they
// are: roll-ups, say, which each host makes from what all of them hold.
func (rw *rewriter) statement(text string) ([]string, error) {
	if m := createTable.FindStringSubmatch(text); m != nil && rw.ours(m[1]) {
		e := rw.engines[m[2]]
		local := rw.local(m[1], m[2])
		return []string{
			"CREATE TABLE IF NOT EXISTS " + shardNamespace(rw.namespace) + "." + local + "\n(" + m[3] + ")\n" + rw.engine(e, local) + "\n" + e.comment,
			rw.distributed(m[1], m[2], e),
		}, nil
	}
	if m := createAs.FindStringSubmatch(text); m != nil && rw.ours(m[1]) {
		e, ok := rw.engines[m[4]]
		if !ok {
			return nil, fmt.Errorf("no table %s in the migrations before", m[4])
		}
		local, shard := rw.local(m[1], m[2]), shardNamespace(rw.namespace)
		return []string{
			"CREATE TABLE IF NOT EXISTS " + shard + "." + local + " AS " + shard + "." + rw.local(m[3], m[4]) + " " + rw.engine(e, local),
			rw.distributed(m[1], m[2], e),
		}, nil
	}
	if m := alterTable.FindStringSubmatch(text); m != nil && rw.ours(m[1]) && rw.engines[m[2]].engine != "" {
		list := []string{"ALTER TABLE " + shardNamespace(rw.namespace) + "." + rw.local(m[1], m[2]) + " " + m[3]}
		if alterColumns.MatchString(m[3]) {
			list = append(list, text)
		}
		return list, nil
	}
	return []string{text}, nil
}

func (rw *rewriter) ours(database string) bool {
	return database == rw.namespace || database == NextNamespace(rw.namespace)
}

// local names the table of a host that holds the rows of a Distributed one.
func (rw *rewriter) local(database, table string) string {
	if database == NextNamespace(rw.namespace) {
		return table + "_next"
	}
	return table
}

// engine is the engine of a host's table. Its path names shard, namespace and table,
// so that the hosts of a shard find each other though each made its table itself.
func (rw *rewriter) engine(e engineClause, local string) string {
	if !rw.replicated {
		return e.engine
	}
	return engineVersion.ReplaceAllString(e.engine,
		fmt.Sprintf("ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/%s/%s', '{replica}', ${1})", rw.namespace, local))
}

func (rw *rewriter) distributed(database, table string, e engineClause) string {
	shard, local := shardNamespace(rw.namespace), rw.local(database, table)
	return strings.TrimSpace(fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s.%s AS %s.%s ENGINE = Distributed('%s', '%s', '%s', cityHash64(%s)) %s",
		database, table, shard, local, rw.cluster, shard, local, e.key, e.comment))
}
