package warehouse

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	schemas "github.com/cairnhq/cairn/schemas/clickhouse"
)

// Why a database is left alone. No retry mends these.
var (
	// ErrEdited marks a migration that differs from what was applied.
	ErrEdited = errors.New("the DDL does not match the database")
	// ErrNewer marks a database that a newer cairn has migrated.
	ErrNewer = errors.New("the database is newer than this program")
	// ErrCluster marks a database whose tables a migration must reach on every host.
	ErrCluster = errors.New("the namespace is spread over a cluster")
)

// CreateDatabases creates the namespace's databases where they are missing.
func CreateDatabases(ctx context.Context, conn driver.Conn, namespace string) error {
	if err := CheckNamespace(namespace); err != nil {
		return err
	}
	for _, suffix := range []string{"", "_next", "_bi", "_api"} {
		if err := conn.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+namespace+suffix); err != nil {
			return fmt.Errorf("create database %s%s: %w", namespace, suffix, err)
		}
	}
	return nil
}

// Migrate brings the namespace's databases to the state of schemas/clickhouse: it
// creates them, applies the migrations that have not been applied, then replaces
// all views. It may run again at any time and in several processes at once: a lock
// in the database lets one of them work, and every statement is idempotent for the
// case that one dies. Nothing is changed where a migration was edited after it had
// been applied (ErrEdited, naming the file), or where a newer cairn has migrated
// (ErrNewer). Of a namespace that MigrateCluster made it changes nothing, and is
// content if nothing is pending; else it returns ErrCluster. Likewise for a user who
// may not change the schema: an error only if a migration is pending.
func Migrate(ctx context.Context, conn driver.Conn, namespace string) error {
	return migrate(ctx, conn, namespace, schemas.Migrations, schemas.Views)
}

func migrate(ctx context.Context, conn driver.Conn, namespace string, migrations, views fs.FS) error {
	m := migrator{conn: conn, namespace: namespace, migrations: migrations, views: views}
	cluster, err := clusterOf(ctx, conn, namespace)
	if err != nil {
		return err
	}
	if cluster == "" {
		return m.runOrNothing(ctx)
	}
	_, err = m.planSpread(ctx, cluster)
	return err
}

// runOrNothing is run for a user who may lack the right to it, as a sink's: that is
// well where no migration is pending. The views are as whoever may has left them.
func (m *migrator) runOrNothing(ctx context.Context) error {
	const accessDenied = 497
	err := m.run(ctx)
	if code(err) != accessDenied {
		return err
	}
	p, planned := m.plan(ctx)
	if planned != nil || len(p.Migrations) > 0 {
		return err
	}
	return nil
}

// planSpread is the plan for a namespace of a cluster: nothing, and an error where
// there is something to do.
func (m *migrator) planSpread(ctx context.Context, cluster string) (Plan, error) {
	p, err := m.plan(ctx)
	if err == nil && len(p.Migrations) > 0 {
		err = fmt.Errorf("%w: %s is pending in %s; run cairn migrate --cluster %s", ErrCluster, p.Migrations[0].File, m.namespace, cluster)
	}
	return Plan{Applied: p.Applied}, err
}

// Plan is what Migrate would do. Views are replaced in any case, but not those of a
// namespace of a cluster.
type Plan struct {
	Applied    []string `json:"applied"`    // files, oldest first
	Migrations []Step   `json:"migrations"` // pending, in order
	Views      []Step   `json:"views"`      // in order
}

// Step is a file and its statements as they would be executed.
type Step struct {
	File       string   `json:"file"`
	Statements []string `json:"statements"`
}

// PlanMigrate returns what Migrate would do, and its errors, and changes nothing.
func PlanMigrate(ctx context.Context, conn driver.Conn, namespace string) (Plan, error) {
	if err := CheckNamespace(namespace); err != nil {
		return Plan{}, err
	}
	m := migrator{conn: conn, namespace: namespace, migrations: schemas.Migrations, views: schemas.Views}
	cluster, err := clusterOf(ctx, conn, namespace)
	if err != nil {
		return Plan{}, err
	}
	if cluster != "" {
		return m.planSpread(ctx, cluster)
	}
	return m.plan(ctx)
}

// migrator brings one server up to date.
type migrator struct {
	conn              driver.Conn
	namespace         string
	migrations, views fs.FS
	rewrite           *rewriter // nil: statements are executed as they are
}

// run applies what is pending and replaces the views, under the lock.
func (m *migrator) run(ctx context.Context) error {
	if err := CreateDatabases(ctx, m.conn, m.namespace); err != nil {
		return err
	}
	unlock, err := lockSchema(ctx, m.conn, m.namespace, lockExpiry)
	if err != nil {
		return err
	}
	defer unlock()
	if err := m.createRecord(ctx); err != nil {
		return err
	}
	list, applied, err := m.pending(ctx)
	if err != nil {
		return err
	}
	for _, f := range list {
		if _, ok := applied[f.version]; ok {
			continue
		}
		s, err := m.render(f)
		if err == nil {
			err = m.apply(ctx, s)
		}
		if err != nil {
			return err
		}
		if err := m.conn.Exec(ctx, "INSERT INTO "+m.namespace+".schema_migrations (version, name, checksum) VALUES (?, ?, ?)",
			f.version, f.file, f.checksum); err != nil {
			return fmt.Errorf("record migration %s: %w", f.file, err)
		}
	}
	views, err := readViews(m.namespace, m.views)
	if err != nil {
		return err
	}
	if readers, err := hasReaders(ctx, m.conn, m.namespace); err != nil {
		return err
	} else if readers {
		views = forReaders(m.namespace, views)
	}
	for _, v := range views {
		if err := m.apply(ctx, v); err != nil {
			return err
		}
	}
	return nil
}

// plan is run without doing it.
func (m *migrator) plan(ctx context.Context) (Plan, error) {
	var p Plan
	list, applied, err := m.pending(ctx)
	if err != nil {
		return p, err
	}
	for _, f := range list {
		if _, ok := applied[f.version]; ok {
			p.Applied = append(p.Applied, f.file)
			continue
		}
		s, err := m.render(f)
		if err != nil {
			return p, err
		}
		p.Migrations = append(p.Migrations, s.step())
	}
	views, err := readViews(m.namespace, m.views)
	for _, v := range views {
		p.Views = append(p.Views, v.step())
	}
	return p, err
}

func (s script) step() Step {
	step := Step{File: s.file}
	for _, st := range s.statements {
		step.Statements = append(step.Statements, st.text)
	}
	return step
}

// render renders a migration, for a cluster if there is one.
func (m *migrator) render(f migration) (script, error) {
	s, err := render(m.namespace, f.file, f.text)
	if err != nil || m.rewrite == nil {
		return s, err
	}
	return m.rewrite.script(s)
}

// pending returns all migrations and those that were applied, by version, and
// refuses a database that they do not belong to.
func (m *migrator) pending(ctx context.Context) ([]migration, map[uint32]migration, error) {
	list, err := readMigrations(m.migrations)
	if err != nil {
		return nil, nil, err
	}
	applied, err := m.applied(ctx)
	if err != nil {
		return nil, nil, err
	}
	newest := uint32(0)
	for _, f := range list {
		newest = max(newest, f.version)
		if was, ok := applied[f.version]; ok && was.checksum != f.checksum {
			return nil, nil, fmt.Errorf("%w: migration %s was edited after it had been applied to %s; restore it and put the change into a new migration", ErrEdited, f.file, m.namespace)
		}
	}
	for _, was := range applied {
		if was.version > newest {
			return nil, nil, fmt.Errorf("%w: %s has migration %s, and this program knows them up to %04d; run the newer one, or restore a backup of before", ErrNewer, m.namespace, was.file, newest)
		}
	}
	return list, applied, nil
}

func (m *migrator) createRecord(ctx context.Context) error {
	table := m.namespace + ".schema_migrations"
	if err := m.conn.Exec(ctx, `CREATE TABLE IF NOT EXISTS `+table+`
		(version UInt32 COMMENT 'Number of the migration', name String COMMENT 'Its file', checksum String COMMENT 'SHA-256 of the file',
		 applied_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When it was applied first or last')
		ENGINE = ReplacingMergeTree(applied_at) ORDER BY version COMMENT 'Migrations that have been applied'`); err != nil {
		return fmt.Errorf("create %s: %w", table, err)
	}
	return nil
}

// applied returns the migrations of the record by version; none if there is no
// record yet.
func (m *migrator) applied(ctx context.Context) (map[uint32]migration, error) {
	table := m.namespace + ".schema_migrations"
	var exists uint64
	if err := m.conn.QueryRow(ctx, "SELECT count() FROM system.tables WHERE database = ? AND name = 'schema_migrations'", m.namespace).Scan(&exists); err != nil {
		return nil, fmt.Errorf("look for %s: %w", table, err)
	}
	if exists == 0 {
		return map[uint32]migration{}, nil
	}
	rows, err := m.conn.Query(ctx, "SELECT version, name, checksum FROM "+table+" FINAL")
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", table, err)
	}
	defer func() { _ = rows.Close() }()
	applied := map[uint32]migration{}
	for rows.Next() {
		var was migration
		if err := rows.Scan(&was.version, &was.file, &was.checksum); err != nil {
			return nil, fmt.Errorf("read %s: %w", table, err)
		}
		applied[was.version] = was
	}
	return applied, rows.Err()
}

// apply executes the statements of a file. Errors name the file and the line that
// the statement begins at.
func (m *migrator) apply(ctx context.Context, s script) error {
	for _, st := range s.statements {
		if err := m.conn.Exec(ctx, st.text); err != nil {
			return fmt.Errorf("apply %s:%d: %w", s.file, st.line, err)
		}
	}
	return nil
}
