package cli

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/cairnhq/cairn/pkg/enrich/plan"
	"github.com/cairnhq/cairn/pkg/local"
	"github.com/cairnhq/cairn/services/sessionizer"
)

func newSessionizer(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use: "sessionizer", Short: "Run the stream steps: raw touchpoints -> sessions, journeys, transitions", Args: exactly(0, ""),
		Example: `  cairn sessionizer --kafka broker:9092 --data /var/lib/cairn --model journey.yaml
  cairn sessionizer --steps device`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := sh.newProcess(cmd.Context(), cmd, "127.0.0.1:9102")
			if err != nil {
				return err
			}
			release, err := p.serveSessionizer(cmd.Context())
			if err != nil {
				return err
			}
			defer release()
			return p.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	setting(f, "steps", "sessionizer.steps")
	setting(f, "model", "model")
	setting(f, "plan", "plan")
	setting(f, "data", "data")
	setting(f, "state-cache-bytes", "sessionizer.state_cache_bytes")
	kafkaFlags(f)
	serviceFlags(f)
	return cmd
}

// serveSessionizer adds a sessionizer whose transactional ids come from the
// data folder. release gives the folder back after the run.
func (p *process) serveSessionizer(ctx context.Context) (release func(), err error) {
	if err := p.cfg.Require("identity.secret"); err != nil {
		return nil, err
	}
	model, err := p.loadModel()
	if err != nil {
		return nil, err
	}
	// A predecessor may still be draining: wait as long as for Kafka.
	patience, cancel := context.WithTimeout(ctx, p.cfg.StartupTimeout)
	defer cancel()
	lock, err := local.LockFolder(patience, p.cfg.Data)
	if err != nil {
		return nil, err
	}
	id, err := local.InstanceID(p.cfg.Data)
	if err != nil {
		lock.Unlock()
		return nil, err
	}
	if err := p.addSessionizer(sessionizer.Options{Model: model, InstanceID: id}); err != nil {
		lock.Unlock()
		return nil, err
	}
	return lock.Unlock, nil
}

// addSessionizer adds a sessionizer; what the configuration says is filled in.
func (p *process) addSessionizer(o sessionizer.Options) error {
	var err error
	if o.Enrich, err = loadRules(p.cfg); err != nil {
		return err
	}
	if o.Plan, err = plan.Load(p.cfg.Plan); err != nil {
		return err
	}
	o.Namespace, o.Cluster, o.Steps = p.cfg.Namespace, p.cfg.Kafka.Cluster, p.cfg.Sessionizer.Steps
	o.Secret, o.CommitInterval = []byte(p.cfg.Identity.Secret), p.cfg.Sessionizer.CommitInterval
	o.StateDir, o.StateCache = filepath.Join(p.cfg.Data, "state"), int64(p.cfg.Sessionizer.StateCache)
	o.Log, o.Registerer = p.log, p.reg
	p.serve("sessionizer", []dependency{needsKafka(p.cfg, true)}, func(ctx context.Context) (service, error) {
		return sessionizer.New(ctx, o)
	})
	return nil
}
