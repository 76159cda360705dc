//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/cairnhq/cairn/pkg/warehouse"
)

// verify looks at the warehouse: the views have as many rows as the oracle says,
// and cairn verify finds nothing. It returns what that says last.
func (r *run) verify(ctx context.Context, t *tables) (string, error) {
	if err := r.countRows(ctx, t); err != nil {
		return "FAILED", err
	}
	cmd := exec.CommandContext(ctx, r.o.cairn, "verify", "--clickhouse", r.dsn, "--namespace", namespace)
	cmd.Dir = r.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	raw, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(raw))
	if err != nil {
		return "FAILED", fmt.Errorf("cairn verify: %w:\n%s", err, text[:min(len(text), 6000)])
	}
	return text[strings.LastIndexByte(text, '\n')+1:], nil
}

// countRows holds the number of rows of the views against the oracle's.
func (r *run) countRows(ctx context.Context, t *tables) error {
	conn, err := warehouse.Open(ctx, r.dsn)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	for view, want := range map[string]int{
		"v_touchpoints": len(r.oracle.points), "v_sessions": len(r.oracle.sessions), "v_journeys": len(r.oracle.journeys),
		"v_late": int(r.oracle.books.late), "v_rejected": int(r.oracle.books.rejected),
	} {
		var n uint64
		if err := conn.QueryRow(ctx, "SELECT count() FROM "+namespace+"_bi."+view).Scan(&n); err != nil {
			return fmt.Errorf("%s: %w", view, err)
		}
		if int(n) != want {
			t.differences.add("%s has %d rows, want %d", view, n, want)
		}
	}
	return nil
}
