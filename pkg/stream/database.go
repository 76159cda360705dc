package stream

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/zap"
)

// DefaultStateCache is the memory for the state of a step, in bytes: two thirds of it
// for memtables, the rest for blocks.
const DefaultStateCache = 96 << 20

// MinStateCache is the least memory that a step is given for that, in bytes.
const MinStateCache = 4 << 20

// database holds the state of a step's partitions on disk. One is shared by all
// of them, so that memory, files and goroutines do not grow with their number.
type database struct {
	db     *pebble.DB
	blocks *pebble.Cache
	lock   *pebble.Lock
	dir    string
	log    *zap.Logger

	// open is held for reading by whoever measures, so that it does not do so on a
	// closed database. The partitions' stores are closed before by the step.
	open    sync.RWMutex
	closed  bool        // guarded by open
	damaged atomic.Bool // what is read is not what was written
}

// openDatabase opens the database in dir, making it if need be. One that is
// damaged is removed: everything in it is in the changelog, too.
func openDatabase(dir string, cache int64, log *zap.Logger) (*database, error) {
	d, err := tryDatabase(dir, cache, log)
	if err == nil || !damage(err) {
		return d, err
	}
	log.Warn("the state on disk is damaged: removing it, the changelog restores it", zap.String("folder", dir), zap.Error(err))
	if err := os.RemoveAll(dir); err != nil {
		return nil, fmt.Errorf("remove the damaged state: %w", err)
	}
	return tryDatabase(dir, cache, log)
}

// errStateInUse says that another process has the state folder.
var errStateInUse = errors.New("the state folder is in use by another process: give each sessionizer a data folder of its own")

// damage tells what is wrong with the files from what is wrong around them: a
// folder that is in use or may not be written is no reason to remove it.
func damage(err error) bool {
	for _, around := range []error{
		errStateInUse, fs.ErrPermission, syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EIO,
	} {
		if errors.Is(err, around) {
			return false
		}
	}
	return true
}

func tryDatabase(dir string, cache int64, log *zap.Logger) (_ *database, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the state folder: %w", err)
	}
	d := &database{dir: dir, log: log}
	if d.lock, err = pebble.LockDirectory(dir, vfs.Default); err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return nil, fmt.Errorf("open the state folder %s: %w", dir, err)
		}
		return nil, fmt.Errorf("%s: %w", dir, errStateInUse)
	}
	o := databaseOptions(cache)
	o.Lock, o.Logger = d.lock, databaseLog{log}
	o.EventListener = &pebble.EventListener{
		BackgroundError: func(err error) { _ = d.check(err) }, // only to remember it
		DataCorruption: func(i pebble.DataCorruptionInfo) {
			_ = d.check(pebble.ErrCorruption)
			log.Error("state is damaged", zap.String("file", i.Path))
		},
	}
	d.blocks = pebble.NewCache(o.CacheSize)
	defer d.blocks.Unref() // the database holds it
	o.Cache = d.blocks
	if d.db, err = pebble.Open(dir, o); err != nil {
		return nil, errors.Join(fmt.Errorf("open the state in %s: %w", dir, err), d.lock.Close())
	}
	return d, nil
}

// databaseOptions bound what the database takes: the cache holds blocks and
// memtables, a table on disk that is open costs some kilobytes.
func databaseOptions(cache int64) *pebble.Options {
	if cache <= 0 {
		cache = DefaultStateCache
	}
	cache = max(cache, MinStateCache)
	o := &pebble.Options{
		Comparer:           rowComparer(),
		FormatMajorVersion: pebble.FormatNewest,
		CacheSize:          cache,
		// Of one memtable that is written and one that is flushed; both are taken from
		// the cache, and what they leave must hold the filters of all tables. A row that
		// is written again meanwhile goes to disk once: with 32 MiB compactions take half
		// the time that they do with 16.
		MemTableSize:                uint64(min(cache/3, 32<<20)),
		MemTableStopWritesThreshold: 2,
		MaxOpenFiles:                256,
		// A compaction rewrites most of the level below, as keys are spread over all of
		// it: with eight tables at once half as often as with Pebble's four.
		L0CompactionThreshold: 8,
		L0StopWritesThreshold: 20,
		LBaseMaxBytes:         64 << 20,
		// A crash loses the memtables, which the changelog gives back: that is less
		// than a second's restore, and saves writing everything twice.
		DisableWAL:                 true,
		CompactionConcurrencyRange: func() (lower, upper int) { return 1, 2 },
	}
	o.TargetFileSizes[0] = 4 << 20
	// A lookup that the cache does not answer decompresses a block: small ones cost
	// half of what those of 16 KiB do (BenchmarkStore).
	o.Levels[0].BlockSize = 4 << 10
	o.Levels[0].IndexBlockSize = 64 << 10
	o.Levels[0].FilterPolicy = bloom.FilterPolicy(10)
	// The rows of a name share what Split returns, as versions of one row would. So
	// most values would go into blocks apart from their keys, each with a buffer of
	// 32 KiB until the table is written.
	o.Experimental.SpanPolicyFunc = func([]byte) (pebble.SpanPolicy, []byte, error) {
		return pebble.SpanPolicy{DisableValueSeparationBySuffix: true}, nil, nil
	}
	// Timers come and go, and only a start or an erasure scans those that have gone:
	// rewriting tables to be rid of what is left of them would be half of what
	// compactions do.
	o.Experimental.TombstoneDenseCompactionThreshold = -1
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionFastest })
	return o
}

// shed lets go of the blocks in memory, filters and indexes with them: they come back
// with the next reads.
func (d *database) shed() { d.blocks.Reserve(int(d.blocks.MaxSize()))() }

// check passes an error on and remembers if it says that the files are damaged.
func (d *database) check(err error) error {
	if err != nil && pebble.IsCorruptionError(err) {
		d.damaged.Store(true)
	}
	return err
}

// close writes what is in memory and gives the folder back. A damaged database is
// removed, so that the next start restores it. The stores must be closed before.
func (d *database) close() error {
	d.open.Lock()
	defer d.open.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	var errs []error
	if !d.damaged.Load() {
		errs = append(errs, d.check(d.db.Flush()))
	}
	if d.damaged.Load() {
		errs = nil // its end is no news
	}
	errs = append(errs, d.db.Close())
	if d.damaged.Load() {
		d.log.Warn("the state on disk is damaged: removing it, the changelog restores it", zap.String("folder", d.dir))
		errs = append(errs[:0], os.RemoveAll(d.dir))
	}
	return errors.Join(append(errs, d.lock.Close())...)
}

// databaseLog passes Pebble's complaints on.
type databaseLog struct{ log *zap.Logger }

// Infof implements pebble.Logger: what it does all day is of no use to an operator.
func (l databaseLog) Infof(string, ...any) {}

// Errorf implements pebble.Logger.
func (l databaseLog) Errorf(format string, args ...any) {
	l.log.Error("state database", zap.String("text", fmt.Sprintf(format, args...)))
}

// Fatalf implements pebble.Logger: it must not return.
func (l databaseLog) Fatalf(format string, args ...any) {
	l.log.Fatal("state database", zap.String("text", fmt.Sprintf(format, args...)))
}
