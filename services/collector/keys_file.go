package collector

import (
	"context"
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
	file   watchedFile // path "": none
	ring   *keyring
	met    *metrics
	log    *zap.Logger
	reload chan struct{} // asks for a look now
}

// openKeys reads the file: at the start a mistake is fatal.
func openKeys(o *Options, met *metrics) (*keysFile, error) {
	f := &keysFile{file: watchedFile{path: o.KeysFile}, met: met, log: o.Log, reload: make(chan struct{}, 1)}
	var list []sources.Source
	if f.file.path != "" {
		text, err := f.file.open()
		if err != nil {
			return nil, fmt.Errorf("read the write keys: %w", err)
		}
		if list, err = sources.Parse(text, f.file.path); err != nil {
			return nil, err
		}
		met.keysUsable.Set(1)
	}
	var err error
	if f.ring, err = newKeyring(o, list); err != nil {
		return nil, err
	}
	return f, nil
}

// watch takes changes of the file over until ctx ends.
func (f *keysFile) watch(ctx context.Context, every time.Duration) {
	f.file.watch(ctx, every, f.reload, f.take)
}

// take keeps the keys that are in use where the file is gone or wrong.
func (f *keysFile) take(text []byte, err error) {
	var list []sources.Source
	if err == nil {
		list, err = sources.Parse(text, f.file.path)
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
