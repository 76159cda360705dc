package warehouse

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// ClickHouse has no locks, but of several CREATE TABLE of one name one succeeds. So
// the lock is a table. Its holder touches it every now and then; one that was not
// touched for lockExpiry, by the server's clock, belonged to a process that died.
const (
	lockExpiry = 10 * time.Second
	renewals   = 5 // within that time
	lockWait   = 100 * time.Millisecond

	codeTableExists = 57
)

// lockSchema waits for the namespace's lock. The function it returns gives it back.
// A process that was stopped for longer than lockExpiry has lost the lock unawares;
// all statements of a migration are idempotent for that case too.
func lockSchema(ctx context.Context, conn driver.Conn, namespace string, expiry time.Duration) (unlock func(), err error) {
	table := namespace + ".schema_lock"
	host, _ := os.Hostname() // for people only
	holder := strings.NewReplacer("'", "", `\`, "").Replace(fmt.Sprintf("Migrating: process %d of %s", os.Getpid(), host))
	create := "CREATE TABLE " + table + " (x UInt8 COMMENT 'Nothing') ENGINE = Memory COMMENT '" + holder + "'"
	for held := false; ; {
		err := conn.Exec(ctx, create)
		if err == nil {
			break
		}
		if code(err) == codeTableExists {
			held = true
			if err = breakLock(ctx, conn, namespace, expiry); err == nil {
				select {
				case <-ctx.Done():
				case <-time.After(lockWait):
				}
			}
		}
		switch {
		case held && ctx.Err() != nil: // whatever it was doing when its time was over
			return nil, fmt.Errorf("wait for another migration of %s (the table %s): %w", namespace, table, ctx.Err())
		case err != nil:
			return nil, fmt.Errorf("lock the schema of %s: %w", namespace, err)
		}
	}
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(expiry / renewals)
		defer tick.Stop()
		for {
			select {
			case <-renewing.Done():
				return
			case <-tick.C:
				_ = conn.Exec(renewing, "ALTER TABLE "+table+" MODIFY COMMENT '"+holder+"'") // what matters is the next attempt
			}
		}
	})
	return func() {
		stop()
		done.Wait()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lockExpiry)
		defer cancel()
		_ = conn.Exec(ctx, "DROP TABLE IF EXISTS "+table+" SYNC") // else it expires
	}, nil
}

// breakLock removes a lock whose holder is gone. It moves that very table away by a
// name made from its id: of two who saw the same dead lock the second finds the name
// taken, or moves nothing.
func breakLock(ctx context.Context, conn driver.Conn, namespace string, expiry time.Duration) error {
	rows, err := conn.Query(ctx, `SELECT toString(uuid) FROM system.tables
		WHERE database = ? AND name = 'schema_lock' AND metadata_modification_time < now() - ?`, namespace, int64(expiry/time.Second))
	if err != nil {
		return fmt.Errorf("look at the lock: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return fmt.Errorf("look at the lock: %w", err)
		}
		dead := namespace + ".schema_lock_" + strings.ReplaceAll(id, "-", "")
		// It may fail because somebody else did it.
		if conn.Exec(ctx, "RENAME TABLE "+namespace+".schema_lock TO "+dead) == nil {
			_ = conn.Exec(ctx, "DROP TABLE IF EXISTS "+dead+" SYNC")
		}
	}
	return rows.Err()
}
