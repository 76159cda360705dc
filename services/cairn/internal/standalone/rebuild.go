package standalone

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/cairnhq/cairn/pkg/app"
	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/warehouse"
	"github.com/cairnhq/cairn/services/cairn/internal/replay"
)

// lockWait is how long a data folder in use is waited for: long enough for a
// process that is just ending.
const lockWait = 2 * time.Second

func shortly(ctx context.Context) context.Context {
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	context.AfterFunc(ctx, cancel)
	return ctx
}

// ledger is what the folder remembers of rebuilds.
type ledger struct {
	Epoch      uint32 `json:"epoch"`
	Rebuilding bool   `json:"rebuilding"` // Epoch has begun and not ended
	Model      string `json:"model"`      // by which what is derived was made

	path string
}

func openLedger(dir string) (ledger, error) {
	l := ledger{path: filepath.Join(dir, "epoch.json")}
	raw, err := os.ReadFile(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return l, fmt.Errorf("read the rebuild epoch: %w", err)
	}
	if err := json.Unmarshal(raw, &l); err != nil {
		return l, fmt.Errorf("%s is damaged: %w; put the epoch last logged back into it as {\"epoch\":N}", l.path, err)
	}
	return l, nil
}

// save replaces the file as one.
func (l *ledger) save() error {
	raw, err := json.Marshal(l)
	if err != nil {
		return err
	}
	tmp := l.path + ".new"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("remember the rebuild epoch: %w", err)
	}
	_, err = f.Write(raw)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("remember the rebuild epoch: %w", err)
	}
	if err := os.Rename(tmp, l.path); err != nil { // only now: the old file is good
		return fmt.Errorf("remember the rebuild epoch: %w", err)
	}
	return nil
}

// rebuildBecause says why what is derived cannot be gone on with; "" is fine. A
// broker that is not its own is never rebuilt unasked.
func (m *Machine) rebuildBecause() string {
	switch {
	case m.embedded != nil && m.embedded.Unclean():
		return "the last stop was not clean"
	case m.o.Kafka != "" && m.o.Kafka != KafkaLocal:
	case m.ledger.Model != "" && m.ledger.Model != m.o.Model.Name:
		return "the journey model is another: " + m.o.Model.Name + " instead of " + m.ledger.Model
	}
	return ""
}

// beginRebuild starts a new epoch: everything derived is deleted in Kafka and
// made anew from the raw topic. The epoch is on disk before anything is deleted,
// so that a crash in between begins again with a higher one. ClickHouse keeps
// its rows, those of the new epoch replace them while readers go on.
func (m *Machine) beginRebuild(ctx context.Context, cl *kgo.Client, why string) error {
	if !m.begun { // else the deletion failed, and is tried again
		m.ledger.Epoch++
		m.ledger.Rebuilding, m.ledger.Model = true, m.o.Model.Name
		if err := m.ledger.save(); err != nil {
			return err
		}
		m.begun = true
		m.o.Log.Warn("rebuilding everything derived from the raw topic", zap.String("because", why), zap.Uint32("epoch", m.ledger.Epoch))
	}
	if err := stream.DeleteDerived(ctx, cl, m.o.Config.Namespace); err != nil {
		return err
	}
	m.Rebuilding = true
	return nil
}

// follow brings the ledger in line with the namespace's control record: a replay may
// have been run on it. why is a reason to rebuild.
func (m *Machine) follow(ctx context.Context, cl *kgo.Client) (why string, err error) {
	c, ok, err := stream.CurrentEpoch(ctx, cl, m.o.Config.Namespace)
	if err != nil || !ok || m.own() && c.Epoch < m.ledger.Epoch {
		return "", err
	}
	m.control = c
	m.ledger.Epoch, m.ledger.Model = c.Epoch, c.Model
	m.ledger.Rebuilding = m.own() && c.State != stream.EpochComplete
	if m.own() && c.State == stream.EpochPreparing {
		why = "a replay was interrupted while it was being prepared"
	}
	return why, app.Permanent(m.ledger.save())
}

// own says whether the broker is this folder's.
func (m *Machine) own() bool { return m.o.Kafka == "" || m.o.Kafka == KafkaLocal }

// record makes the control record say what the ledger says. Where nothing was ever
// rebuilt, or the broker is somebody else's, there is nothing to say.
func (m *Machine) record(ctx context.Context, cl *kgo.Client) error {
	if !m.own() || m.ledger.Epoch == 0 || m.ledger.Epoch == m.control.Epoch && !m.begun {
		return nil
	}
	now := time.Now().UnixMilli()
	m.control = stream.Epoch{
		Epoch: m.ledger.Epoch, State: stream.EpochComplete, Model: m.ledger.Model, Reason: "rebuild",
		FromMillis: stream.FromStart, BeganMillis: now, CompletedMillis: now,
	}
	if m.ledger.Rebuilding {
		m.control.State, m.control.CompletedMillis = stream.EpochRunning, 0
	}
	return stream.WriteEpoch(ctx, cl, m.o.Config.Namespace, &m.control)
}

// FinishRebuild waits until the steps and the sink have worked off what was
// there when it was called, then ends the epoch: readers see it instead of lower
// ones. It returns nil at once when nothing is being rebuilt, and when ctx ends: the
// next start goes on.
func (m *Machine) FinishRebuild(ctx context.Context) error {
	if !m.Rebuilding {
		return nil
	}
	cl, err := stream.NewClient(m.Cluster, "rebuild", nil, nil)
	if err != nil {
		return err
	}
	defer cl.Close()
	started := time.Now()
	if err := replay.WorkedOff(ctx, cl, m.o.Config.Namespace); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	if err := m.endEpoch(ctx, cl); err != nil {
		return err
	}
	if m.ledger.Rebuilding {
		return nil
	}
	m.o.Log.Info("rebuild complete", zap.Uint32("epoch", m.Epoch), zap.Duration("took", time.Since(started)))
	return nil
}

func (m *Machine) endEpoch(ctx context.Context, cl *kgo.Client) error {
	for {
		err := m.showEpoch(ctx, cl)
		if err == nil {
			break
		}
		m.o.Log.Warn("the rebuild is done, but readers do not see it yet, will retry", zap.Error(err))
		select {
		case <-ctx.Done():
			return nil // the next start goes on
		case <-time.After(time.Second):
		}
	}
	m.ledger.Rebuilding = false
	if err := m.ledger.save(); err != nil {
		return err
	}
	if m.embedded != nil {
		m.embedded.Rebuilt()
	}
	return nil
}

// showEpoch lets readers see the epoch.
func (m *Machine) showEpoch(ctx context.Context, cl *kgo.Client) error {
	conn, err := warehouse.Open(ctx, m.DSN)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	return replay.Complete(ctx, cl, conn, m.o.Config.Namespace, &m.control, m.o.Model)
}
