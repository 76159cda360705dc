package stream_test

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

const replayed = "cairn_step_restored_rows_total"

// round runs a step until n further records are counted, and stops it.
func (b *bench) round(n int) {
	b.t.Helper()
	stop := b.start(false)
	b.produce(n)
	b.requireExact()
	require.NoError(b.t, stop())
}

// warmed is a bench on disk whose step has counted 300 records and stopped.
func warmed(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	b.dir = t.TempDir()
	b.round(300)
	require.Zero(t, b.metric(replayed), "there was nothing to restore")
	return b
}

// edit changes what the stopped step has on disk, in all partitions.
func (b *bench) edit(edit func(stream.Store) error) {
	b.t.Helper()
	for p := range int32(3) {
		require.NoError(b.t, stream.EditState(b.dir, stream.GroupDevice, p, edit))
	}
}

// lie makes every count on disk wrong: whoever believes it is found out.
func lie(s stream.Store) error {
	var rows []stream.Change
	err := s.Scan([]byte("k"), func(key, _ []byte) error {
		rows = append(rows, stream.Change{Key: append([]byte(nil), key...), Value: binary.BigEndian.AppendUint64(nil, 1000)})
		return nil
	})
	p := s.Progress()
	return errors.Join(err, s.Apply(rows, p.Next, p.Asof))
}

// warned is whether the last run has logged a warning with the words.
func (b *bench) warned(words string) bool {
	for _, e := range b.logs.All() {
		for _, v := range e.ContextMap() {
			if s, ok := v.(string); ok && strings.Contains(e.Message+" "+s, words) {
				return true
			}
		}
	}
	return false
}

// rows is the size of the changelog: a restore from the start reads as many, or
// more where it is not compacted.
func (b *bench) changelog() float64 {
	b.t.Helper()
	topic := "ns." + stream.TopicDeviceChangelog
	cl, err := stream.NewClient(b.c, "count", nil, nil, kgo.FetchMaxWait(100*time.Millisecond), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(b.t, err)
	defer cl.Close()
	ends, err := stream.DataEnds(b.t.Context(), b.cl, topic)
	require.NoError(b.t, err)
	n, left := 0.0, map[int32]bool{0: true, 1: true, 2: true}
	for len(left) > 0 {
		for r := range cl.PollFetches(b.t.Context()).RecordsAll() {
			n++
			if r.Offset+1 >= ends[topic][r.Partition] {
				delete(left, r.Partition)
			}
		}
	}
	return n
}

func TestWarmStartReplaysNothing(t *testing.T) {
	b := warmed(t)
	b.round(100)
	require.Zero(t, b.metric(replayed))
}

// TestStateBehindReplaysTheTail: the process died after the commit and before the
// state on disk had it.
func TestStateBehindReplaysTheTail(t *testing.T) {
	b := warmed(t)
	before, had := filepath.Join(t.TempDir(), "before"), b.changelog()
	require.NoError(t, os.CopyFS(before, os.DirFS(b.dir)))
	b.round(200)
	tail := b.changelog() - had
	require.NoError(t, os.RemoveAll(b.dir))
	require.NoError(t, os.CopyFS(b.dir, os.DirFS(before)))
	b.round(100)
	require.InDelta(t, tail, b.metric(replayed), 0)
	require.InDelta(t, 3, b.metric("cairn_step_restore_progress"), 0)
	require.Positive(t, b.metric("cairn_step_restore_duration_seconds"))
}

// TestUselessStateIsRestoredWhole: what is on disk is wrong in some way, and has
// wrong counts, too.
func TestUselessStateIsRestoredWhole(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(stream.Store) error
		says string
	}{
		"ahead of the changelog": {func(s stream.Store) error {
			return errors.Join(lie(s), s.Apply(nil, 1e9, time.Now().UnixMilli()))
		}, "and it ends at"},
		"another changelog": {func(s stream.Store) error {
			p := s.Progress()
			return errors.Join(s.Reset("ns.device.changelog elsewhere"), s.Apply([]stream.Change{{Key: []byte("k1"), Value: make([]byte, 8)}}, p.Next, p.Asof))
		}, "they are a copy of ns.device.changelog elsewhere"},
		"no meta row to be made out": {func(s stream.Store) error {
			p := s.Progress()
			return errors.Join(lie(s), s.Apply([]stream.Change{{Key: []byte("\x00meta"), Value: []byte{1, 0xff, 0xff}}}, p.Next, p.Asof))
		}, "meta record"},
		"another history": {func(s stream.Store) error { // the meta row is an older one's
			p := s.Progress()
			return errors.Join(lie(s), s.Apply([]stream.Change{{Key: []byte("\x00meta"), Value: wire.EncodeMeta(&wirepb.PartitionMeta{NextOffset: 1})}}, p.Next, p.Asof))
		}, "state and offsets are of different histories"},
	} {
		t.Run(name, func(t *testing.T) {
			b := warmed(t)
			all := b.changelog()
			b.edit(c.edit)
			b.round(100)
			require.InDelta(t, all, b.metric(replayed), 0)
			require.True(t, b.warned(c.says), "no log line says %q", c.says)
			b.round(50)
			require.Zero(t, b.metric(replayed), "the restored state is on disk")
		})
	}
}

// TestStateThatMissedTooMuch: the changelog forgets after a day what was deleted.
func TestStateThatMissedTooMuch(t *testing.T) {
	b := warmed(t)
	old := func(s stream.Store) error {
		return errors.Join(lie(s), s.Apply(nil, s.Progress().Next, time.Now().Add(-13*time.Hour).UnixMilli()))
	}
	mine := b.dir
	b.dir = t.TempDir() // another instance has it meanwhile
	b.round(100)
	b.dir = mine
	b.edit(old)
	all := b.changelog()
	b.round(100)
	require.InDelta(t, all, b.metric(replayed), 0)
	require.True(t, b.warned("the changelog may have forgotten what was deleted since"))

	b.edit(func(s stream.Store) error { return s.Apply(nil, s.Progress().Next, 1) })
	stop := b.start(false)
	require.Eventually(t, func() bool { return b.metric("cairn_step_restore_progress") == 3 }, 20*time.Second, 10*time.Millisecond)
	require.NoError(t, stop())
	b.edit(func(s stream.Store) error {
		require.WithinDuration(t, time.Now(), time.UnixMilli(s.Progress().Asof), time.Minute, "it is known to be complete now")
		return nil
	})
	b.edit(func(s stream.Store) error { return s.Apply(nil, s.Progress().Next, 1) })
	b.round(100)
	require.Zero(t, b.metric(replayed), "nothing has happened since: age does not matter")
}

func TestLostDisk(t *testing.T) {
	b := warmed(t)
	all := b.changelog()
	require.NoError(t, os.RemoveAll(b.dir))
	b.round(100)
	require.InDelta(t, all, b.metric(replayed), 0)
}

// TestDamagedDisk: files that cannot be opened, and files that turn out to be
// damaged only when they are read.
func TestDamagedDisk(t *testing.T) {
	for _, pattern := range []string{"MANIFEST-*", "*.sst"} {
		t.Run(pattern, func(t *testing.T) {
			b := warmed(t)
			all, harmed := b.changelog(), 0
			require.NoError(t, filepath.WalkDir(b.dir, func(path string, d fs.DirEntry, err error) error {
				if ok, _ := filepath.Match(pattern, filepath.Base(path)); err != nil || !ok {
					return err
				}
				harmed++
				raw, err := os.ReadFile(path)
				for i := range min(len(raw), 1000) { // the footer of a table stays
					raw[i] ^= 0x5a
				}
				return errors.Join(err, os.WriteFile(path, raw, 0o600))
			}))
			require.Positive(t, harmed)
			stop := b.start(true)
			b.produce(100)
			b.requireExact()
			require.NoError(t, stop())
			require.InDelta(t, all, b.metric(replayed), 0)
		})
	}
}

// TestAnotherClustersState: the same names, another Kafka.
func TestAnotherClustersState(t *testing.T) {
	a, b := warmed(t), warmed(t)
	all := b.changelog()
	a.edit(lie)
	b.dir = a.dir
	b.round(100)
	require.InDelta(t, all, b.metric(replayed), 0)
	require.True(t, b.warned("they are a copy of"))
}

// TestRebuildMakesStateAnew: the topics are deleted and made again, the folder
// stays. So does the broker's memory of ids, over its restart.
func TestRebuildMakesStateAnew(t *testing.T) {
	dir := t.TempDir()
	open := func() *bench {
		fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(filepath.Join(dir, "kafka")))
		require.NoError(t, err)
		t.Cleanup(fake.Close)
		b := benchOn(t, fake, stream.Cluster{Brokers: fake.ListenAddrs()})
		b.dir = filepath.Join(dir, "state")
		return b
	}
	b := open()
	b.round(300)
	sent := b.sent
	b.cl.Close()
	b.fake.Close()

	b = open()
	b.sent = sent
	b.round(100)
	require.Zero(t, b.metric(replayed), "a restarted broker has the topics it had")

	require.NoError(t, stream.DeleteDerived(t.Context(), b.cl, "ns"))
	require.NoError(t, stream.EnsureTopics(t.Context(), b.cl, "ns", stream.TopicOptions{Partitions: 3, Replication: 1}))
	b.edit(lie)
	b.round(100) // counts all of the raw topic again, from 1
	require.Zero(t, b.metric(replayed))
	require.True(t, b.warned("they are a copy of"))
}

// TestTwoProcessesOnOneFolder: the second is told so.
func TestTwoProcessesOnOneFolder(t *testing.T) {
	b := warmed(t)
	require.NoError(t, stream.EditState(b.dir, stream.GroupDevice, 0, func(stream.Store) error {
		b.watch()
		require.EqualError(t, b.run(t.Context()), "device step: "+filepath.Join(b.dir, stream.GroupDevice)+
			": the state folder is in use by another process: give each sessionizer a data folder of its own")
		return nil
	}))
	b.round(100)
}

// TestPartitionLeavesAndComesBack: another member changes it meanwhile.
func TestPartitionLeavesAndComesBack(t *testing.T) {
	b := newBench(t)
	b.dir = t.TempDir()
	other := *b
	other.dir, other.name = t.TempDir(), "two"
	stop := b.start(false)
	for range 4 {
		b.produce(100)
		b.requireExact()
		leave := other.start(false)
		require.Eventually(t, func() bool {
			b.produce(10)
			return other.metric("cairn_step_records_total") > 0
		}, 20*time.Second, 20*time.Millisecond, "the other never had a partition")
		b.requireExact()
		require.NoError(t, leave())
	}
	b.produce(100)
	b.requireExact()
	require.NoError(t, stop())
	require.Less(t, b.metric(replayed), b.changelog()/2, "what stayed on disk is used")
}
