package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/zap"
)

// Embedded is franz-go's kfake: a Kafka broker in this process, kept on disk.
//
// It speaks the whole protocol, transactions included, and what it acknowledged survives kill -9 (not a power
// cut). But a transaction that is being committed at that moment may be torn: committed in some partitions and
// not in others. So it remembers whether it was closed, and after an unclean stop the caller rebuilds what was
// derived from the raw topic, whose records are not transactional.
type Embedded struct {
	cluster *kfake.Cluster
	marker  string
	addr    string
	unclean bool
}

// uncleanMarker exists while the broker runs, and after a stop that was not clean.
const uncleanMarker = "running"

// StartEmbedded opens the broker on the folder, which the caller holds the lock of, and listens on the port of
// 127.0.0.1 (0 picks a free one). log may be nil.
func StartEmbedded(ctx context.Context, dir string, port int, log *zap.Logger) (*Embedded, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the broker's data folder: %w", err)
	}
	e := &Embedded{marker: filepath.Join(dir, uncleanMarker)}
	if _, err := os.Stat(e.marker); err == nil {
		e.unclean = true
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("look for the broker's marker: %w", err)
	}
	// Listen first: a port in use is the user's to solve and no reason to call the last stop unclean.
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address(port))
	if err != nil {
		return nil, portError(port, "--kafka-port", err)
	}
	if err := writeMarker(e.marker); err != nil {
		_ = ln.Close() // the first error tells more
		return nil, err
	}
	opts := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.DataDir(filepath.Join(dir, "log")),
		kfake.DefaultNumPartitions(6),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return ln, nil }),
	}
	if log != nil {
		opts = append(opts, kfake.WithLogger(brokerLog{log.Named("broker")}))
	}
	if e.cluster, err = kfake.NewCluster(opts...); err != nil {
		_ = ln.Close() // kfake may have closed it already
		return nil, fmt.Errorf("open the embedded broker on %s: %w", dir, err)
	}
	e.addr = ln.Addr().String()
	return e, nil
}

// writeMarker leaves the marker on disk, the folder's entry included.
func writeMarker(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("mark the broker as running: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("mark the broker as running: %w", err)
	}
	return syncFolder(filepath.Dir(path))
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Addr is host:port for clients.
func (e *Embedded) Addr() string { return e.addr }

// Unclean says that a run on this folder did not end with Close, and that nobody has called Rebuilt since:
// what was derived with transactions may be torn and needs a rebuild.
func (e *Embedded) Unclean() bool { return e.unclean }

// Rebuilt says that everything derived has been made anew, so that a clean Close is remembered as one. Not for
// use while another goroutine calls Unclean or Close.
func (e *Embedded) Rebuilt() { e.unclean = false }

// Close writes everything to disk and remembers a clean stop, unless a rebuild is still due. Clients should be
// closed before.
func (e *Embedded) Close() error {
	e.cluster.Close()
	if e.unclean {
		return nil
	}
	if err := os.Remove(e.marker); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("mark the broker as stopped: %w", err)
	}
	return nil
}

// brokerLog passes kfake's warnings and errors on.
type brokerLog struct{ log *zap.Logger }

// Logf implements kfake.Logger.
func (b brokerLog) Logf(level kfake.LogLevel, format string, args ...any) {
	if strings.Contains(format, "slow") {
		return // a request of some milliseconds is no warning
	}
	text := zap.String("text", strings.TrimSpace(fmt.Sprintf(format, args...)))
	switch level {
	case kfake.LogLevelError:
		b.log.Error("embedded broker", text)
	case kfake.LogLevelWarn:
		b.log.Warn("embedded broker", text)
	default: // a line per request helps nobody
	}
}
