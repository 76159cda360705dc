package collector

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/cairnhq/cairn/services/collector/internal/mapping"
)

// CheckWebhooks reads a file of webhook mappings as the collector would, and
// returns how many sources it has. Secrets are looked up with lookup.
func CheckWebhooks(path string, lookup func(string) (string, bool)) (sources int, err error) {
	table, err := mapping.Load(path, lookup)
	if err != nil {
		return 0, err
	}
	return table.Len(), nil
}

// webhookTable is the mapping file as it is now. Safe for concurrent use.
type webhookTable struct {
	path  string // "": none
	log   *zap.Logger
	table atomic.Pointer[mapping.Table]
	last  [sha256.Size]byte // of the file's bytes that were read last
}

// newWebhookTable reads the file: at the start a mistake is fatal.
func newWebhookTable(path string, log *zap.Logger) (*webhookTable, error) {
	w := &webhookTable{path: path, log: log}
	if path == "" {
		return w, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the webhook mappings: %w", err)
	}
	table, err := mapping.Parse(text, path, os.LookupEnv)
	if err != nil {
		return nil, err
	}
	w.last = sha256.Sum256(text)
	w.table.Store(table)
	return w, nil
}

// watch takes changes of the file over until ctx ends. It looks at the bytes,
// not at times: mounted files of Kubernetes change by a link.
func (w *webhookTable) watch(ctx context.Context, every time.Duration) {
	if w.path == "" {
		return
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			w.reload()
		}
	}
}

// reload keeps the mappings that are in use where the file is gone or wrong.
func (w *webhookTable) reload() {
	text, err := os.ReadFile(w.path)
	sum := sha256.Sum256(text)
	if err != nil {
		sum = sha256.Sum256([]byte(err.Error()))
	}
	if bytes.Equal(sum[:], w.last[:]) {
		return
	}
	w.last = sum
	var table *mapping.Table
	if err == nil {
		table, err = mapping.Parse(text, w.path, os.LookupEnv)
	}
	if err != nil {
		w.log.Error("webhook mappings have changed and cannot be used: those from before stay", zap.Error(err))
		return
	}
	w.table.Store(table)
	w.log.Info("webhook mappings have changed", zap.Int("sources", table.Len()))
}
