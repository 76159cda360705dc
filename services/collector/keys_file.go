package collector

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"time"

	"go.uber.org/zap"

	"github.com/cairnhq/cairn/services/collector/internal/pii"
	"github.com/cairnhq/cairn/services/collector/internal/sources"
)

// HashKey is a write key's hash as configurations take it: sha256:HEX.
func HashKey(key string) string { return sources.FormatHash(key) }

// IsKeyHash reports whether a text is what HashKey makes.
func IsKeyHash(text string) bool {
	_, ok := sources.ParseHash(text)
	return ok
}

// CheckKeys reads a file of keys as the collector would, and returns how many
// sources and keys it has.
func CheckKeys(path string) (sourceCount, keyCount int, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, 0, err
	}
	list, err := sources.Parse(text, path)
	if err != nil {
		return 0, 0, err
	}
	for _, s := range list {
		if _, err := pii.Compile(s.PII, []byte("any")); err != nil {
			return 0, 0, fmt.Errorf("%s: source %s: %w", path, s.Name, err)
		}
		keyCount += len(s.Keys)
	}
	return len(list), keyCount, nil
}

// keysFile brings the keyring up to date with the file.
type keysFile struct {
	path   string // "": none
	ring   *keyring
	met    *metrics
	log    *zap.Logger
	last   [sha256.Size]byte // of the bytes that were read last
	reload chan struct{}     // asks for a look now
}

// openKeys reads the file: at the start a mistake is fatal.
func openKeys(o *Options, met *metrics) (*keysFile, error) {
	f := &keysFile{path: o.KeysFile, met: met, log: o.Log, reload: make(chan struct{}, 1)}
	var list []sources.Source
	if f.path != "" {
		text, err := os.ReadFile(f.path)
		if err != nil {
			return nil, fmt.Errorf("read the write keys: %w", err)
		}
		if list, err = sources.Parse(text, f.path); err != nil {
			return nil, err
		}
		f.last = sha256.Sum256(text)
		met.keysUsable.Set(1)
	}
	var err error
	if f.ring, err = newKeyring(o, list); err != nil {
		return nil, err
	}
	return f, nil
}

// watch takes changes of the file over until ctx ends. It looks at the bytes, not
// at times: mounted files of Kubernetes change by a link.
func (f *keysFile) watch(ctx context.Context, every time.Duration) {
	if f.path == "" {
		return
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-f.reload:
		}
		f.look()
	}
}

// look keeps the keys that are in use where the file is gone or wrong.
func (f *keysFile) look() {
	text, err := os.ReadFile(f.path)
	sum := sha256.Sum256(text)
	if err != nil {
		sum = sha256.Sum256([]byte(err.Error()))
	}
	if sum == f.last {
		return
	}
	f.last = sum
	var list []sources.Source
	if err == nil {
		list, err = sources.Parse(text, f.path)
	}
	if err == nil {
		err = f.ring.use(list)
	}
	if err != nil {
		f.met.keysUsable.Set(0)
		f.log.Error("the file of write keys has changed and cannot be used: the keys from before stay", zap.Error(err))
		return
	}
	f.met.keysUsable.Set(1)
	f.log.Info("the write keys have changed", zap.Int("sources", len(list)), zap.Int("keys", len(f.ring.now.Load().keys)))
}
