package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/cairnhq/cairn/pkg/app"
	"github.com/cairnhq/cairn/pkg/enrich/plan"
	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/local"
	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/telemetry"
	"github.com/cairnhq/cairn/pkg/warehouse"
	"github.com/cairnhq/cairn/services/cairn/internal/replay"
	"github.com/cairnhq/cairn/services/sessionizer"
)

// replayResult is the JSON of `cairn replay`.
type replayResult struct {
	Epoch       uint32  `json:"epoch"`
	Model       string  `json:"model"`
	From        string  `json:"from"` // earliest, if nothing older was ever deleted
	CompletedAt string  `json:"completed_at"`
	Seconds     float64 `json:"seconds"`
}

func (sh *shell) runReplay(cmd *cobra.Command, _ []string) error {
	if putBack, err := wantsPutBack(cmd); err != nil || putBack {
		if err != nil {
			return err
		}
		return sh.runPutBack(cmd)
	}
	flags, err := readReplayFlags(cmd)
	if err != nil {
		return err
	}
	cfg, err := sh.loadConfig(cmd)
	if err != nil {
		return err
	}
	if flags.run {
		if err := cfg.Require("identity.secret"); err != nil {
			return err
		}
	}
	m, err := loadModel(cfg.Model)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	err = sh.replay(ctx, cfg, m, flags)
	if err != nil && ctx.Err() != nil && cmd.Context().Err() == nil {
		return errors.New("stopped; nothing is lost: run the same command again to go on")
	}
	return err
}

func (sh *shell) replay(ctx context.Context, cfg *app.Config, m *journey.Model, flags replayFlags) error {
	log, err := telemetry.NewLogger(sh.Err, cfg.Log.Level, cfg.Log.Format)
	if err != nil {
		return err
	}
	if err := ready(ctx, cfg); err != nil {
		return err
	}
	cl, err := stream.NewClient(cfg.Kafka.Cluster, "replay", nil, nil)
	if err != nil {
		return err
	}
	defer cl.Close()
	conn, err := warehouse.Open(ctx, cfg.ClickHouse.DSN)
	if err != nil {
		return clickhouseError(cfg, err)
	}
	defer func() { _ = conn.Close() }()
	r, err := replay.Plan(ctx, cl, conn, replay.Options{
		Namespace: cfg.Namespace, Model: m, From: flags.from, Log: log,
		Topics: stream.TopicOptions{Partitions: cfg.Kafka.Partitions, Replication: cfg.Kafka.Replication},
	})
	if err != nil {
		return kafkaError(cfg, err)
	}
	tell := &replayTeller{out: sh.Err, run: flags.run}
	tell.plan(r)
	if !flags.yes && !r.Resumed {
		if err := sh.agree(ctx); err != nil {
			return err
		}
	}
	if err := r.Begin(ctx); err != nil {
		return err
	}
	if err := finishReplay(ctx, cfg, m, log, r, tell, flags.run); err != nil {
		return err
	}
	return sh.printReplay(r, flags.json)
}

// ready sees to it that Kafka and ClickHouse are there, with topics and tables.
func ready(ctx context.Context, cfg *app.Config) error {
	ctx, cancel := context.WithTimeout(ctx, cfg.StartupTimeout)
	defer cancel()
	if err := needsKafka(cfg, true).try(ctx); err != nil {
		return kafkaError(cfg, err)
	}
	return migrate(ctx, cfg, nil)
}

// agree asks on the terminal.
func (sh *shell) agree(ctx context.Context) error {
	if _, err := fmt.Fprint(sh.Err, "go on? [y/N] "); err != nil {
		return err
	}
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(sh.In).ReadString('\n') // no answer is no
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case a := <-answer:
		if a == "y" || a == "yes" {
			return nil
		}
	case <-ctx.Done():
	}
	return errors.New("nothing was changed; --yes answers yes")
}

// finishReplay waits for the steps and the sink, running the steps if asked to, and
// lets readers see the outcome.
func finishReplay(ctx context.Context, cfg *app.Config, m *journey.Model, log *zap.Logger, r *replay.Replay, tell *replayTeller, run bool) error {
	ctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	if run {
		go func() {
			defer close(ended)
			if err := runSteps(ctx, cfg, m, log); err != nil {
				cancel(err)
			}
		}()
	} else {
		close(ended)
	}
	err := r.Await(ctx, tell.progress)
	tell.end()
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err == nil {
		err = r.Complete(ctx)
	}
	cancel(nil)
	<-ended
	return err
}

// runSteps runs a sessionizer until ctx ends.
func runSteps(ctx context.Context, cfg *app.Config, m *journey.Model, log *zap.Logger) error {
	patience, cancel := context.WithTimeout(ctx, cfg.StartupTimeout)
	defer cancel()
	lock, err := local.LockFolder(patience, cfg.Data)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	id, err := local.InstanceID(cfg.Data)
	if err != nil {
		return err
	}
	rules, err := loadRules(cfg)
	if err != nil {
		return err
	}
	tracking, err := plan.Load(cfg.Plan)
	if err != nil {
		return err
	}
	s, err := sessionizer.New(ctx, sessionizer.Options{
		Namespace: cfg.Namespace, Cluster: cfg.Kafka.Cluster, Model: m, InstanceID: id, Secret: []byte(cfg.Identity.Secret), Enrich: rules, Plan: tracking,
		StateDir: filepath.Join(cfg.Data, "state"), StateCache: int64(cfg.Sessionizer.StateCache),
		CommitInterval: cfg.Sessionizer.CommitInterval, MaxRestarts: stepRestarts, Log: log,
	})
	if err != nil {
		return err
	}
	return s.Run(ctx)
}

func (sh *shell) printReplay(r *replay.Replay, asJSON bool) error {
	e := &r.Epoch
	res := replayResult{
		Epoch: e.Epoch, Model: e.Model, From: fromText(e.FromMillis),
		CompletedAt: time.UnixMilli(e.CompletedMillis).UTC().Format(time.RFC3339),
		Seconds:     float64(e.CompletedMillis-e.BeganMillis) / 1000,
	}
	if asJSON {
		return printJSON(sh.Out, res)
	}
	_, err := fmt.Fprintf(sh.Out, "replay complete: epoch %d under the model %s, from %s, in %.1f s\n", res.Epoch, res.Model, res.From, res.Seconds)
	return err
}

// fromText writes the beginning of an epoch.
func fromText(ms int64) string {
	if ms == stream.FromStart {
		return "earliest"
	}
	return time.UnixMilli(ms).UTC().Format(time.RFC3339)
}
