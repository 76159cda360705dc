package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/cairnhq/cairn/pkg/app"
	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/warehouse"
)

func newMigrate(sh *shell) *cobra.Command {
	var dry bool
	var cluster string
	cmd := &cobra.Command{
		Use: "migrate", Short: "Create or update the databases, tables and views in ClickHouse", Args: exactly(0, ""),
		Long: `Migrate creates the namespace's databases, applies the migrations that are not applied yet, and replaces
all views. It sets the retention of the tables (settings retention.*). Several may run at once: a lock in the database lets one of them work. It changes nothing
where a newer cairn has migrated, or where an applied migration was edited.

With --cluster the tables are spread over the hosts of a cluster that the configuration of ClickHouse
defines: see docs/operations.md.`,
		Example: `  cairn migrate --clickhouse clickhouse://cairn:PASSWORD@clickhouse:9000/cairn
  cairn migrate --dry-run`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := wantsJSON(cmd)
			if err != nil {
				return err
			}
			cfg, err := sh.loadConfig(cmd)
			if err != nil {
				return err
			}
			m, err := loadModel(cfg.Model)
			if err != nil {
				return err
			}
			need := needsClickHouse(cfg)
			if err := app.WaitFor(cmd.Context(), cfg.StartupTimeout, need.name+" at "+need.where, need.try); err != nil {
				return err
			}
			if dry {
				return sh.showPlan(cmd.Context(), cfg, cluster, asJSON)
			}
			if err := migrateAll(cmd.Context(), cfg, cluster, m); err != nil {
				return err
			}
			_, err = fmt.Fprintf(sh.Err, "cairn: databases %[1]s, %[1]s_bi and %[1]s_api are up to date\n", cfg.Namespace)
			return err
		},
	}
	f := cmd.Flags()
	setting(f, "model", "model")
	clickhouseFlags(f)
	setting(f, "startup-timeout", "startup_timeout")
	f.BoolVar(&dry, "dry-run", false, "print what would be done, and change nothing")
	f.StringVar(&cluster, "cluster", "", "spread the tables over the hosts of this cluster")
	outputFlag(f)
	return cmd
}

// migrateAll migrates the server of the DSN, or all hosts of a cluster.
func migrateAll(ctx context.Context, cfg *app.Config, cluster string, m *journey.Model) error {
	if cluster != "" {
		if err := warehouse.MigrateCluster(ctx, cfg.ClickHouse.DSN, cfg.Namespace, cluster); err != nil {
			return clickhouseError(cfg, err)
		}
	}
	if err := migrate(ctx, cfg, m); err != nil {
		return err
	}
	return retain(ctx, cfg)
}

// retain has the server delete old rows, as the settings say.
func retain(ctx context.Context, cfg *app.Config) error {
	conn, err := warehouse.Open(ctx, cfg.ClickHouse.DSN)
	if err != nil {
		return clickhouseError(cfg, err)
	}
	defer func() { _ = conn.Close() }()
	r := cfg.Retention
	return warehouse.PutRetention(ctx, conn, cfg.Namespace, map[warehouse.Table]int{
		warehouse.TableTouchpoints: r.Touchpoints, warehouse.TableLate: r.Late, warehouse.TableRejected: r.Rejected,
		warehouse.TableSessions: r.Sessions, warehouse.TableJourneys: r.Journeys, warehouse.TableTransitions: r.Transitions,
		warehouse.TableFrictions: r.Frictions, warehouse.TableQuality: r.DataQuality,
	})
}

// showPlan prints what a migration would do.
func (sh *shell) showPlan(ctx context.Context, cfg *app.Config, cluster string, asJSON bool) error {
	plans, err := makePlans(ctx, cfg, cluster)
	if err != nil {
		return clickhouseError(cfg, err)
	}
	if asJSON {
		return json.NewEncoder(sh.Out).Encode(plans)
	}
	for _, host := range slices.Sorted(maps.Keys(plans)) {
		p := plans[host]
		if _, err := fmt.Fprintf(sh.Out, "-- %s: %d migrations applied, %d pending, %d files of views to replace\n", host, len(p.Applied), len(p.Migrations), len(p.Views)); err != nil {
			return err
		}
		for _, step := range p.Migrations {
			if _, err := fmt.Fprintf(sh.Out, "\n-- %s\n", step.File); err != nil {
				return err
			}
			for _, text := range step.Statements {
				if _, err := fmt.Fprintf(sh.Out, "%s;\n", text); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func makePlans(ctx context.Context, cfg *app.Config, cluster string) (map[string]warehouse.Plan, error) {
	if cluster != "" {
		return warehouse.PlanCluster(ctx, cfg.ClickHouse.DSN, cfg.Namespace, cluster)
	}
	conn, err := warehouse.Open(ctx, cfg.ClickHouse.DSN)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	p, err := warehouse.PlanMigrate(ctx, conn, cfg.Namespace)
	return map[string]warehouse.Plan{clickhouseHost(cfg): p}, err
}
