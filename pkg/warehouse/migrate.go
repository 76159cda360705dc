package warehouse

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"text/template"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	schemas "github.com/cairnhq/cairn/schemas/clickhouse"
)

// ErrEdited marks a migration that differs from what was applied.
var ErrEdited = errors.New("the DDL does not match the database")

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
// all views. It may run again at any time and in several processes at once:
// every statement is idempotent and every process writes the same record of it.
// A migration that was edited after it had been applied is an error naming the
// file; nothing is changed then.
func Migrate(ctx context.Context, conn driver.Conn, namespace string) error {
	return migrate(ctx, conn, namespace, schemas.Migrations, schemas.Views)
}

func migrate(ctx context.Context, conn driver.Conn, namespace string, migrations, views fs.FS) error {
	if err := CreateDatabases(ctx, conn, namespace); err != nil {
		return err
	}
	list, err := readMigrations(migrations)
	if err != nil {
		return err
	}
	applied, err := appliedMigrations(ctx, conn, namespace)
	if err != nil {
		return err
	}
	for _, m := range list {
		if sum, ok := applied[m.version]; ok && sum != m.checksum {
			return fmt.Errorf("%w: migration %s was edited after it had been applied to %s; restore it and put the change into a new migration", ErrEdited, m.file, namespace)
		}
	}
	for _, m := range list {
		if _, ok := applied[m.version]; ok {
			continue
		}
		if err := apply(ctx, conn, namespace, m.file, m.text); err != nil {
			return err
		}
		if err := conn.Exec(ctx, "INSERT INTO "+namespace+".schema_migrations (version, name, checksum) VALUES (?, ?, ?)",
			m.version, m.file, m.checksum); err != nil {
			return fmt.Errorf("record migration %s: %w", m.file, err)
		}
	}
	return replaceViews(ctx, conn, namespace, views)
}

// migration is one file of migrations/.
type migration struct {
	version  uint32
	file     string
	text     string
	checksum string // of the text, hex SHA-256
}

var migrationName = regexp.MustCompile(`^([0-9]{4})_[a-z0-9_]+\.sql$`)

// readMigrations lists the files in the order of their numbers.
func readMigrations(files fs.FS) ([]migration, error) {
	paths, err := fs.Glob(files, "migrations/*.sql") // in name order
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	var list []migration
	for _, path := range paths {
		name := strings.TrimPrefix(path, "migrations/")
		match := migrationName.FindStringSubmatch(name)
		if match == nil {
			return nil, fmt.Errorf("migration %s is not named NNNN_words.sql", name)
		}
		version, err := strconv.ParseUint(match[1], 10, 32)
		if err != nil {
			return nil, fmt.Errorf("migration %s: %w", name, err)
		}
		if n := len(list); n > 0 && list[n-1].version == uint32(version) {
			return nil, fmt.Errorf("migrations %s and %s have the same number", list[n-1].file, name)
		}
		text, err := fs.ReadFile(files, path)
		if err != nil {
			return nil, fmt.Errorf("read migration %s: %w", name, err)
		}
		sum := sha256.Sum256(text)
		list = append(list, migration{version: uint32(version), file: name, text: string(text), checksum: hex.EncodeToString(sum[:])})
	}
	return list, nil
}

// appliedMigrations returns the checksums by version.
func appliedMigrations(ctx context.Context, conn driver.Conn, namespace string) (map[uint32]string, error) {
	table := namespace + ".schema_migrations"
	if err := conn.Exec(ctx, `CREATE TABLE IF NOT EXISTS `+table+`
		(version UInt32 COMMENT 'Number of the migration', name String COMMENT 'Its file', checksum String COMMENT 'SHA-256 of the file',
		 applied_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When it was applied first or last')
		ENGINE = ReplacingMergeTree(applied_at) ORDER BY version COMMENT 'Migrations that have been applied'`); err != nil {
		return nil, fmt.Errorf("create %s: %w", table, err)
	}
	rows, err := conn.Query(ctx, "SELECT version, checksum FROM "+table+" FINAL")
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", table, err)
	}
	defer func() { _ = rows.Close() }()
	applied := map[uint32]string{}
	for rows.Next() {
		var version uint32
		var checksum string
		if err := rows.Scan(&version, &checksum); err != nil {
			return nil, fmt.Errorf("read %s: %w", table, err)
		}
		applied[version] = checksum
	}
	return applied, rows.Err()
}

// replaceViews applies views/*.sql in name order, so that a view may read those
// of an earlier file.
func replaceViews(ctx context.Context, conn driver.Conn, namespace string, files fs.FS) error {
	paths, err := fs.Glob(files, "views/*.sql")
	if err != nil {
		return fmt.Errorf("list views: %w", err)
	}
	for _, path := range paths {
		text, err := fs.ReadFile(files, path)
		if err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		if err := apply(ctx, conn, namespace, path, string(text)); err != nil {
			return err
		}
	}
	return nil
}

// apply renders a file for the namespace and executes its statements. Errors
// name the file and the line its statement begins at.
func apply(ctx context.Context, conn driver.Conn, namespace, file, text string) error {
	tmpl, err := template.New(file).Option("missingkey=error").Parse(text)
	if err != nil {
		return fmt.Errorf("read %s: %w", file, err)
	}
	var rendered strings.Builder
	if err := tmpl.Execute(&rendered, names{namespace}); err != nil {
		return fmt.Errorf("render %s: %w", file, err)
	}
	for _, s := range statements(rendered.String()) {
		if err := conn.Exec(ctx, s.text); err != nil {
			return fmt.Errorf("apply %s:%d: %w", file, s.line, err)
		}
	}
	return nil
}

type statement struct {
	text string
	line int // of its first word, from 1
}

// statements splits a file at semicolons that end a line. Comment lines before a
// statement are dropped.
func statements(text string) []statement {
	var list []statement
	var current []string
	start := 0
	for i, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		if len(current) == 0 {
			if trimmed == "" || strings.HasPrefix(trimmed, "--") {
				continue
			}
			start = i + 1
		}
		end := strings.HasSuffix(trimmed, ";") && !strings.HasPrefix(trimmed, "--")
		current = append(current, strings.TrimSuffix(strings.TrimRight(line, " \t\r"), ";"))
		if end {
			list = append(list, statement{strings.Join(current, "\n"), start})
			current = nil
		}
	}
	if len(current) > 0 {
		list = append(list, statement{strings.Join(current, "\n"), start})
	}
	return list
}
