package standalone

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
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

// FinishRebuild waits until the steps and the sink have worked off what was
// there when it was called, then ends the epoch: rows of lower ones disappear
// from the views. It returns nil at once when nothing is being rebuilt, and when
// ctx ends: the next start goes on.
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
	ns := m.o.Config.Namespace
	// Each reads what the one before has written, so they end one after the other.
	// A step also reads what it writes itself: the device step copies and links,
	// the profile step what homes tell each other. Each round of that is waited for.
	for _, wait := range []struct {
		group  string
		rounds int
		topics []string
	}{
		{stream.GroupDevice, 4, []string{stream.TopicRaw}},
		{stream.GroupProfile, 12, []string{stream.TopicTouchpoints}},
		{stream.GroupSink, 1, []string{
			stream.TopicTouchpoints, stream.TopicSessions, stream.TopicIdentities, stream.TopicJourneys,
			stream.TopicTransitions, stream.TopicFrictions, stream.TopicQuality, stream.TopicRejected, stream.TopicLate,
		}},
	} {
		if err := workedOff(ctx, cl, ns, wait.group, wait.topics, wait.rounds); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
	if err := m.endEpoch(ctx, cl); err != nil {
		return err
	}
	m.o.Log.Info("rebuild complete", zap.Uint32("epoch", m.Epoch), zap.Duration("took", time.Since(started)))
	return nil
}

func (m *Machine) endEpoch(ctx context.Context, cl *kgo.Client) error {
	var recs []*kgo.Record
	for _, step := range []string{stream.GroupDevice, stream.GroupProfile} {
		e := &wirepb.Epoch{Step: step, Epoch: m.Epoch, CompletedMs: time.Now().UnixMilli()}
		recs = append(recs, &kgo.Record{
			Topic: stream.Qualify(m.o.Config.Namespace, stream.TopicQuality), Value: wire.Marshal(e),
			Key:     []byte(strconv.Itoa(int(m.Epoch)) + "/" + step + "/0"),
			Headers: []kgo.RecordHeader{{Key: wire.HeaderType, Value: []byte(wire.TypeEpoch)}},
		})
	}
	if err := cl.ProduceSync(ctx, recs...).FirstErr(); err != nil {
		return fmt.Errorf("end the rebuild: %w", err)
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

// workedOff waits until a group has committed up to the ends that its topics
// have now. Offsets behind the last data record are transaction markers, which a
// consumer may never commit: they count as done.
func workedOff(ctx context.Context, cl *kgo.Client, ns, group string, topics []string, rounds int) error {
	full := make([]string, len(topics))
	for i, t := range topics {
		full[i] = stream.Qualify(ns, t)
	}
	var before map[string]map[int32]int64
	for range rounds {
		ends, err := stream.DataEnds(ctx, cl, full...)
		if err != nil || reflect.DeepEqual(ends, before) {
			return err
		}
		if err := await(ctx, cl, stream.Qualify(ns, group), ends); err != nil {
			return err
		}
		before = ends
	}
	return nil
}

// await waits until a group has committed up to the ends.
func await(ctx context.Context, cl *kgo.Client, group string, ends map[string]map[int32]int64) error {
	adm := kadm.NewClient(cl)
	for {
		commits, err := adm.FetchOffsets(ctx, group)
		if err == nil && reached(commits, ends) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func reached(commits kadm.OffsetResponses, ends map[string]map[int32]int64) bool {
	for topic, partitions := range ends {
		for p, end := range partitions {
			c, ok := commits.Lookup(topic, p)
			if end > 0 && (!ok || c.Err != nil || c.At < end) {
				return false
			}
		}
	}
	return true
}
