package warehouse

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"text/template"
)

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

// script is a file of statements, rendered for a namespace.
type script struct {
	file       string
	statements []statement
}

// render renders a file for the namespace and splits it into statements.
func render(namespace, file, text string) (script, error) {
	tmpl, err := template.New(file).Option("missingkey=error").Parse(text)
	if err != nil {
		return script{}, fmt.Errorf("read %s: %w", file, err)
	}
	var rendered strings.Builder
	if err := tmpl.Execute(&rendered, names{namespace}); err != nil {
		return script{}, fmt.Errorf("render %s: %w", file, err)
	}
	return script{file, statements(rendered.String())}, nil
}

// readViews renders views/*.sql in name order, so that a view may read those of an
// earlier file.
func readViews(namespace string, files fs.FS) ([]script, error) {
	paths, err := fs.Glob(files, "views/*.sql")
	if err != nil {
		return nil, fmt.Errorf("list views: %w", err)
	}
	var list []script
	for _, path := range paths {
		text, err := fs.ReadFile(files, path)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		s, err := render(namespace, path, string(text))
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
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
