package collector

import (
	"context"
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
	file  watchedFile // path "": none
	log   *zap.Logger
	table atomic.Pointer[mapping.Table]
}

// newWebhookTable reads the file: at the start a mistake is fatal.
func newWebhookTable(path string, log *zap.Logger) (*webhookTable, error) {
	w := &webhookTable{file: watchedFile{path: path}, log: log}
	if path == "" {
		return w, nil
	}
	text, err := w.file.open()
	if err != nil {
		return nil, fmt.Errorf("read the webhook mappings: %w", err)
	}
	table, err := mapping.Parse(text, path, os.LookupEnv)
	if err != nil {
		return nil, err
	}
	w.table.Store(table)
	return w, nil
}

// watch takes changes of the file over until ctx ends.
func (w *webhookTable) watch(ctx context.Context, every time.Duration) {
	w.file.watch(ctx, every, nil, w.take)
}

// take keeps the mappings that are in use where the file is gone or wrong.
func (w *webhookTable) take(text []byte, err error) {
	var table *mapping.Table
	if err == nil {
		table, err = mapping.Parse(text, w.file.path, os.LookupEnv)
	}
	if err != nil {
		w.log.Error("webhook mappings have changed and cannot be used: those from before stay", zap.Error(err))
		return
	}
	w.table.Store(table)
	w.log.Info("webhook mappings have changed", zap.Int("sources", table.Len()))
}
