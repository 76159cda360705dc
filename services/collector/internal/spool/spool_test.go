package spool_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/cairnhq/cairn/services/collector/internal/spool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const dir = "spool"

func record(value string) spool.Record {
	return spool.Record{Key: []byte("k" + value), Value: []byte(value), Time: time.UnixMilli(1_700_000_000_123), Headers: []spool.Header{{Key: "h", Value: []byte{}}}}
}

func open(tb testing.TB, fs vfs.FS, o spool.Options) *spool.Spool {
	tb.Helper()
	o.FS, o.Dir = fs, dir
	s, err := spool.Open(o)
	require.NoError(tb, err)
	return s
}

// rest takes everything that is there, by batches of about n bytes.
func rest(tb testing.TB, s *spool.Spool, n int) (values []string) {
	tb.Helper()
	for !s.Empty() {
		b, err := s.Next(tb.Context(), n)
		require.NoError(tb, err)
		for _, r := range b.Records {
			values = append(values, string(r.Value))
		}
		require.NoError(tb, s.Done())
	}
	return values
}

func TestRecordsComeBackAsTheyWere(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, fs, spool.Options{})
	want := []spool.Record{
		record("a"),
		{Value: []byte("no key"), Time: time.UnixMilli(5)},
		{Key: []byte{}, Value: []byte{}, Time: time.UnixMilli(-1), Headers: []spool.Header{{Key: "x", Value: []byte("1")}, {Key: "x", Value: []byte{0xff}}}},
	}
	require.NoError(t, s.Append(want[:2]))
	require.NoError(t, s.Append(want[2:]))
	require.NoError(t, s.Append(nil))
	require.NoError(t, s.Close())

	s = open(t, fs, spool.Options{})
	require.EqualValues(t, 3, s.Stats().Records)
	b, err := s.Next(t.Context(), 1<<20)
	require.NoError(t, err)
	require.Equal(t, want, b.Records)
	require.Nil(t, b.Records[1].Key)
	again, err := s.Next(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, want[:2], again.Records, "what is not done comes again")
	require.NoError(t, s.Done())
	require.Equal(t, []string{""}, rest(t, s, 1))
	require.Zero(t, s.Stats())
	require.NoError(t, s.Close())
	names, err := fs.List(dir)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"lock", "position"}, names, "what is done takes no room")
}

func TestNextWaits(t *testing.T) {
	s := open(t, vfs.NewMem(), spool.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error, 1)
	go func() {
		b, err := s.Next(ctx, 1)
		if err == nil && len(b.Records) != 1 {
			err = errors.New("not one record")
		}
		got <- err
	}()
	require.NoError(t, s.Append([]spool.Record{record("a")}))
	require.NoError(t, <-got)
	require.NoError(t, s.Done())
	go func() { _, err := s.Next(ctx, 1); got <- err }()
	cancel()
	require.ErrorIs(t, <-got, context.Canceled)
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Append([]spool.Record{record("a")}), spool.ErrClosed)
	require.NoError(t, s.Close())
}

func TestTheBoundHolds(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, fs, spool.Options{Bytes: 10_000, SegmentBytes: 1000})
	big := record(strings.Repeat("x", 400))
	n := 0
	for ; ; n++ {
		err := s.Append([]spool.Record{big})
		if errors.Is(err, spool.ErrFull) {
			break
		}
		require.NoError(t, err)
		require.LessOrEqual(t, s.Stats().Bytes, int64(10_000))
	}
	require.Greater(t, n, 8)
	require.False(t, s.Room(1300))
	require.EqualValues(t, n, s.Stats().Records, "what was refused is not counted")
	require.NoError(t, s.Close())
	s = open(t, fs, spool.Options{Bytes: 10_000, SegmentBytes: 1000})
	require.ErrorIs(t, s.Append([]spool.Record{big}), spool.ErrFull, "also after a restart")
	for range 3 {
		_, err := s.Next(t.Context(), 1)
		require.NoError(t, err)
		require.NoError(t, s.Done())
	}
	require.NoError(t, s.Append([]spool.Record{record("small")}), "what is done makes room")
	require.Len(t, rest(t, s, 5000), n-3+1)
	require.NoError(t, s.Close())
}

func TestTheAgeIsThatOfTheOldest(t *testing.T) {
	now := time.UnixMilli(1_000_000)
	s := open(t, vfs.NewMem(), spool.Options{Now: func() time.Time { return now }})
	for _, v := range []string{"a", "b", "c"} {
		require.NoError(t, s.Append([]spool.Record{record(v)}))
		now = now.Add(time.Minute)
	}
	require.Equal(t, int64(1_000_000), s.Stats().Oldest.UnixMilli())
	_, err := s.Next(t.Context(), 1)
	require.NoError(t, err)
	require.NoError(t, s.Done())
	_, err = s.Next(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, int64(1_060_000), s.Stats().Oldest.UnixMilli())
	require.Len(t, rest(t, s, 1000), 2)
	require.True(t, s.Stats().Oldest.IsZero())
	require.NoError(t, s.Close())
}

func TestOneProcessAtATime(t *testing.T) {
	at := t.TempDir()
	s, err := spool.Open(spool.Options{Dir: at})
	require.NoError(t, err)
	_, err = spool.Open(spool.Options{Dir: at})
	require.ErrorContains(t, err, "another process")
	require.ErrorContains(t, err, at)
	require.NoError(t, s.Close())
	s, err = spool.Open(spool.Options{Dir: at})
	require.NoError(t, err)
	require.NoError(t, s.Close())
}

// The first fsync hangs until everybody has come.
func TestAppendsShareAnFsync(t *testing.T) {
	var syncs atomic.Int64
	gate := make(chan struct{})
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileSync && strings.HasSuffix(op.Path, ".seg") && syncs.Add(1) == 1 {
			<-gate
		}
		return nil
	}))
	s := open(t, fs, spool.Options{})
	const n = 50
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if err := s.Append([]spool.Record{record(strconv.Itoa(i))}); err != nil {
				panic(err)
			}
		})
	}
	require.Eventually(t, func() bool { return s.Stats().Records == n }, 10*time.Second, time.Millisecond)
	close(gate)
	all.Wait()
	require.LessOrEqual(t, syncs.Load(), int64(2))
	require.Len(t, rest(t, s, 100), n)
	require.NoError(t, s.Close())
}

func TestAFullDiskLeavesNothingHalf(t *testing.T) {
	inner := vfs.NewMem()
	var full atomic.Bool
	fs := errorfs.Wrap(inner, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full.Load() && op.Kind == errorfs.OpFileWrite {
			return syscall.ENOSPC
		}
		return nil
	}))
	s := open(t, fs, spool.Options{})
	require.NoError(t, s.Append([]spool.Record{record("a")}))
	full.Store(true)
	for range 20 {
		require.ErrorIs(t, s.Append([]spool.Record{record("refused")}), syscall.ENOSPC)
	}
	names, err := inner.List(dir)
	require.NoError(t, err)
	require.Len(t, names, 2, "a lock and one segment: %v", names)
	require.EqualValues(t, 1, s.Stats().Records)
	full.Store(false)
	require.NoError(t, s.Append([]spool.Record{record("b")}))
	require.Equal(t, []string{"a", "b"}, rest(t, s, 1))
	require.NoError(t, s.Close())
}

// After a failed fsync the system may say that all is well although it is not:
// nothing may be written behind it.
func TestAfterAFailedFsyncAnotherSegmentBegins(t *testing.T) {
	inner := vfs.NewCrashableMem()
	var fail atomic.Bool
	fs := errorfs.Wrap(inner, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileSync && fail.Swap(false) {
			return syscall.EIO
		}
		return nil
	}))
	s := open(t, fs, spool.Options{})
	require.NoError(t, s.Append([]spool.Record{record("a")}))
	fail.Store(true)
	require.ErrorIs(t, s.Append([]spool.Record{record("refused")}), syscall.EIO)
	require.NoError(t, s.Append([]spool.Record{record("b")}))
	s2 := open(t, inner.CrashClone(vfs.CrashCloneCfg{}), spool.Options{})
	require.Equal(t, []string{"a", "b"}, rest(t, s2, 1))
	require.NoError(t, s2.Close())
	require.Equal(t, []string{"a", "b"}, rest(t, s, 1))
	require.NoError(t, s.Close())
}

// Power is cut at any moment, with any of what was not synced on the disk or
// not: whatever Append has said yes to is there, in order.
func TestACrashLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		fs := vfs.NewCrashableMem()
		o := spool.Options{FS: fs, Dir: dir, SegmentBytes: 600, Damaged: func(d spool.Damage) {
			if !d.Torn {
				t.Fatalf("a crash looks like damage: %+v", d)
			}
		}}
		s, err := spool.Open(o)
		require.NoError(t, err)
		var kept []string // in order; those before done may or may not come again
		done, next := 0, 0
		take := func() {
			b, err := s.Next(context.Background(), rapid.IntRange(1, 900).Draw(t, "bytes"))
			require.NoError(t, err)
			for i, r := range b.Records {
				require.Equal(t, kept[done+i], string(r.Value))
			}
			if n := len(b.Records); rapid.Bool().Draw(t, "done") {
				require.NoError(t, s.Done())
				done += n
			}
		}
		crash := func() {
			clone := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rapid.SampledFrom([]int{0, 30, 100}).Draw(t, "unsynced"), RNG: rng})
			fs, o.FS = clone, clone
			if s, err = spool.Open(o); err != nil {
				t.Fatal(err)
			}
			have := int(s.Stats().Records)
			require.GreaterOrEqual(t, have, len(kept)-done, "promised, and gone")
			require.LessOrEqual(t, have, len(kept), "made up")
			done = len(kept) - have
		}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch op := rapid.IntRange(0, 9).Draw(t, "op"); {
			case op < 5:
				var batch []spool.Record
				for range rapid.IntRange(1, 4).Draw(t, "records") {
					v := fmt.Sprintf("%d-%s", next, strings.Repeat("x", rapid.IntRange(0, 300).Draw(t, "size")))
					batch, next = append(batch, record(v)), next+1
				}
				require.NoError(t, s.Append(batch))
				for _, r := range batch {
					kept = append(kept, string(r.Value))
				}
			case op < 8 && !s.Empty():
				take()
			case op == 8:
				crash()
			case op == 9:
				require.NoError(t, s.Close())
				s, err = spool.Open(o)
				require.NoError(t, err)
				require.EqualValues(t, len(kept)-done, s.Stats().Records, "a clean end forgets nothing")
			}
		}
		for !s.Empty() {
			b, err := s.Next(context.Background(), 500)
			require.NoError(t, err)
			for i, r := range b.Records {
				require.Equal(t, kept[done+i], string(r.Value))
			}
			done += len(b.Records)
			require.NoError(t, s.Done())
		}
		require.Equal(t, len(kept), done)
		require.NoError(t, s.Close())
	})
}

// A crash between a write and its fsync is a crash, too.
func TestACrashWhileAppending(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 2))
		inner := vfs.NewCrashableMem()
		var clone *vfs.MemFS
		ops := 0
		at := rng.IntN(60)
		fs := errorfs.Wrap(inner, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && clone == nil {
				if ops++; ops > at {
					clone = inner.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rng})
				}
			}
			return nil
		}))
		s := open(t, fs, spool.Options{SegmentBytes: 9000})
		var promised []string
		for i := 0; clone == nil; i++ {
			v := fmt.Sprintf("%d-%s", i, strings.Repeat("x", rng.IntN(12_000)))
			require.NoError(t, s.Append([]spool.Record{record(v)}))
			if clone == nil {
				promised = append(promised, v)
			}
		}
		require.NoError(t, s.Close())
		s = open(t, clone, spool.Options{SegmentBytes: 9000})
		got := rest(t, s, 1)
		require.GreaterOrEqual(t, len(got), len(promised), "seed %d", seed)
		require.Equal(t, promised, got[:len(promised)], "seed %d", seed)
		require.LessOrEqual(t, len(got), len(promised)+1)
		require.NoError(t, s.Close())
	}
}

func TestWhatKafkaRefusesIsKept(t *testing.T) {
	at := t.TempDir()
	s, err := spool.Open(spool.Options{Dir: at})
	require.NoError(t, err)
	require.NoError(t, s.Append([]spool.Record{record("a"), record("b")}))
	b, err := s.Next(t.Context(), 1)
	require.NoError(t, err)
	name, err := s.SetAside("too large", b.Records[1:])
	require.NoError(t, err)
	require.NoError(t, s.Done())
	require.Equal(t, at, filepath.Dir(name))
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	require.JSONEq(t, `{"reason":"too large","key":"kb","value":"b","headers":{"h":""},"time":"2023-11-14T22:13:20.123Z"}`, string(text))
	require.NoError(t, s.Close())
}
