package cli

import (
	"fmt"
	"os"

	"go.uber.org/zap"

	"github.com/cairnhq/cairn/pkg/app"
	"github.com/cairnhq/cairn/pkg/enrich"
	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/model"
)

// defaultModel is the built-in model used when no file is named.
const defaultModel = "shop"

// loadModel compiles the journey model file at path; empty: the built-in one.
func loadModel(path string, opts ...model.Option) (*journey.Model, error) {
	if path == "" {
		return model.Builtin(defaultModel, opts...)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the journey model: %w", err)
	}
	return model.Load(text, path, opts...)
}

// loadRules reads the files that the configuration adds to the rules of enrichment.
func loadRules(cfg *app.Config) (*enrich.Rules, error) {
	e := cfg.Enrich
	return enrich.Load(enrich.Files{ChannelGroups: e.ChannelGroups, Referrers: e.Referrers, Geo: e.Geo, InternalHosts: e.InternalHosts})
}

// loadModel is the model with conditions that fail at run time logged.
func (p *process) loadModel() (*journey.Model, error) {
	return loadModel(p.cfg.Model, model.OnWhereError(func(where string, err error) {
		p.log.Debug("condition of the journey model failed", zap.String("where", where), zap.Error(err))
	}))
}
