package cli

import (
	"fmt"
	"os"

	"go.uber.org/zap"

	"github.com/cairnhq/cairn/pkg/app"
	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/model"
)

// defaultModel is the built-in model used when no file is named.
const defaultModel = "shop"

// loadModel compiles the journey model of the configuration.
func loadModel(cfg *app.Config, opts ...model.Option) (*journey.Model, error) {
	if cfg.Model == "" {
		return model.Builtin(defaultModel, opts...)
	}
	text, err := os.ReadFile(cfg.Model)
	if err != nil {
		return nil, fmt.Errorf("read the journey model: %w", err)
	}
	return model.Load(text, cfg.Model, opts...)
}

// loadModel is the model with conditions that fail at run time logged.
func (p *process) loadModel() (*journey.Model, error) {
	return loadModel(p.cfg, model.OnWhereError(func(where string, err error) {
		p.log.Debug("condition of the journey model failed", zap.String("where", where), zap.Error(err))
	}))
}
