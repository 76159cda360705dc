package spool_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/services/collector/internal/spool"
)

// The first segment's path.
const first = dir + "/0000000000000001.seg"

// segment is what n appends leave in one file, and where each of them ends.
func segment(tb testing.TB, values ...string) (text []byte, ends []int) {
	tb.Helper()
	fs := vfs.NewMem()
	s := open(tb, fs, spool.Options{})
	for _, v := range values {
		require.NoError(tb, s.Append([]spool.Record{record(v)}))
		text = read(tb, fs, first)
		ends = append(ends, len(text))
	}
	require.NoError(tb, s.Close())
	return text, ends
}

func read(tb testing.TB, fs vfs.FS, path string) []byte {
	tb.Helper()
	f, err := fs.Open(path)
	require.NoError(tb, err)
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(f)
	require.NoError(tb, err)
	return text
}

func write(tb testing.TB, fs vfs.FS, path string, text []byte) {
	tb.Helper()
	require.NoError(tb, fs.MkdirAll(dir, 0o700))
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	require.NoError(tb, err)
	_, err = f.Write(bytes.Clone(text)) // the layer may change what it is given
	require.NoError(tb, err)
	require.NoError(tb, f.Close())
}

func TestDamageIsKeptAsideAndTheRestIsRead(t *testing.T) {
	text, ends := segment(t, "one", "two", "three", "four")
	for name, c := range map[string]struct {
		change func([]byte) []byte
		want   []string
		torn   bool
		from   int
		bytes  int
	}{
		"a flipped bit in what a frame holds": {func(b []byte) []byte { b[ends[1]-3] ^= 4; return b }, []string{"one", "three", "four"}, false, ends[0], ends[1] - ends[0]},
		"a flipped bit in a length":           {func(b []byte) []byte { b[ends[0]+6] ^= 4; return b }, []string{"one", "three", "four"}, false, ends[0], ends[1] - ends[0]},
		"the first frame's marker":            {func(b []byte) []byte { b[0] = 0; return b }, []string{"two", "three", "four"}, false, 0, ends[0]},
		"a hole over two frames":              {func(b []byte) []byte { clear(b[ends[0]+5 : ends[2]-1]); return b }, []string{"one", "four"}, false, ends[0], ends[2] - ends[0]},
		"bytes too many between frames":       {func(b []byte) []byte { return bytes.Join([][]byte{b[:ends[1]], b[ends[1]:]}, []byte("?")) }, []string{"one", "two"}, true, ends[1], len(text) - ends[1] + 1},
		"the last frame, whole but wrong":     {func(b []byte) []byte { b[len(b)-1] ^= 1; return b }, []string{"one", "two", "three"}, false, ends[2], ends[3] - ends[2]},
		"a torn tail":                         {func(b []byte) []byte { return b[:len(b)-1] }, []string{"one", "two", "three"}, true, ends[2], ends[3] - ends[2] - 1},
		"a torn head":                         {func(b []byte) []byte { return b[:ends[2]+9] }, []string{"one", "two", "three"}, true, ends[2], 9},
	} {
		t.Run(name, func(t *testing.T) {
			fs := vfs.NewMem()
			changed := c.change(bytes.Clone(text))
			write(t, fs, first, changed)
			var got []spool.Damage
			o := spool.Options{Damaged: func(d spool.Damage) { got = append(got, d) }}
			s := open(t, fs, o)
			require.Len(t, got, 1)
			require.Equal(t, c.torn, got[0].Torn)
			require.EqualValues(t, c.from, got[0].Offset)
			require.EqualValues(t, c.bytes, got[0].Bytes)
			require.Equal(t, changed[c.from:c.from+c.bytes], read(t, fs, got[0].Kept), "kept whole")
			require.EqualValues(t, len(c.want), s.Stats().Records)
			require.NoError(t, s.Append([]spool.Record{record("five")}))
			require.NoError(t, s.Close())
			s = open(t, fs, o)
			require.Len(t, got, 1, "told again at the next start")
			require.Equal(t, append(c.want, "five"), rest(t, s, 1))
			require.NoError(t, s.Close())
			require.NotEmpty(t, read(t, fs, got[0].Kept))
		})
	}
}

func TestDamageWhileItRuns(t *testing.T) {
	fs := vfs.NewMem()
	var got []spool.Damage
	s := open(t, fs, spool.Options{Damaged: func(d spool.Damage) { got = append(got, d) }})
	require.NoError(t, s.Append([]spool.Record{record("one")}))
	f, err := fs.OpenReadWrite(first, vfs.WriteCategoryUnspecified)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("!"), 30)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.NoError(t, s.Append([]spool.Record{record("two")}))
	require.Equal(t, []string{"two"}, rest(t, s, 1))
	require.Len(t, got, 1)
	require.False(t, got[0].Torn, "it had been whole")
	require.Zero(t, s.Stats(), "what is lost is not waited for")
	require.NoError(t, s.Close())
}

func TestABadPositionOnlyRepeats(t *testing.T) {
	text, _ := segment(t, "one", "two")
	for _, position := range []string{"", "short", strings.Repeat("\x00", 20), strings.Repeat("\xff", 20), strings.Repeat("\xff", 2000)} {
		fs := vfs.NewMem()
		write(t, fs, first, text)
		write(t, fs, dir+"/position", []byte(position))
		s := open(t, fs, spool.Options{})
		require.Equal(t, []string{"one", "two"}, rest(t, s, 1))
		require.NoError(t, s.Close())
	}
}

// TestAPositionThatCannotBeReadNowStopsTheStart: to go on as if there were none
// would number new segments below it, and the next start, which can read it again,
// would take them for done.
func TestAPositionThatCannotBeReadNowStopsTheStart(t *testing.T) {
	for _, kind := range []errorfs.OpKind{errorfs.OpOpen, errorfs.OpFileRead} {
		inner := vfs.NewMem()
		s := open(t, inner, spool.Options{})
		for _, value := range []string{"a", "b"} { // the position is behind both
			require.NoError(t, s.Append([]spool.Record{record(value)}))
			require.Equal(t, []string{value}, rest(t, s, 1))
		}
		require.NoError(t, s.Close())
		sick := errorfs.Wrap(inner, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind == kind && strings.HasSuffix(op.Path, "position") {
				return syscall.EMFILE
			}
			return nil
		}))
		if s, err := spool.Open(spool.Options{FS: sick, Dir: dir}); err == nil {
			require.NoError(t, s.Append([]spool.Record{record("promised")}))
			require.NoError(t, s.Close())
			s = open(t, inner, spool.Options{})
			require.Equal(t, []string{"promised"}, rest(t, s, 1))
			require.NoError(t, s.Close())
			require.Fail(t, "it began anew")
		} else {
			require.ErrorIs(t, err, syscall.EMFILE)
		}
	}
}

func TestStrangeFilesAreLeftAlone(t *testing.T) {
	fs := vfs.NewMem()
	for _, name := range []string{"notes.txt", "1.seg", "000000000000000g.seg", "0000000000000001.seg.bak"} {
		write(t, fs, dir+"/"+name, []byte("mine"))
	}
	s := open(t, fs, spool.Options{})
	require.NoError(t, s.Append([]spool.Record{record("a")}))
	require.Equal(t, []string{"a"}, rest(t, s, 1))
	require.NoError(t, s.Close())
	require.Equal(t, "mine", string(read(t, fs, dir+"/1.seg")))
}

// Whatever became of the bytes of a segment: nothing panics, every frame that is
// whole is read, in order, and every other byte is kept.
func FuzzSpoolRead(f *testing.F) {
	values := []string{"one", "two", strings.Repeat("three", 20), "four"}
	text, ends := segment(f, values...)
	f.Add(text, uint16(0), uint16(0), []byte(nil))
	f.Add(text, uint16(ends[0]+1), uint16(3), []byte("abc"))
	f.Add(text, uint16(ends[1]), uint16(ends[2]-ends[1]), []byte(nil))
	f.Add([]byte(nil), uint16(0), uint16(0), text[:ends[1]])
	f.Add([]byte("\xc3rn1\xff\xff\xff\x3f"), uint16(0), uint16(0), []byte(nil))
	f.Fuzz(func(t *testing.T, base []byte, at, length uint16, with []byte) {
		if len(base) > 1<<16 || len(with) > 1<<16 {
			t.Skip()
		}
		from := min(int(at), len(base))
		to := min(from+int(length), len(base))
		changed := append(append(bytes.Clone(base[:from]), with...), base[to:]...)
		fs := vfs.NewMem()
		write(t, fs, first, changed)
		kept := int64(0)
		s := open(t, fs, spool.Options{Damaged: func(d spool.Damage) {
			kept += d.Bytes
			if d.Kept != "" && !bytes.Equal(changed[d.Offset:d.Offset+d.Bytes], read(t, fs, d.Kept)) {
				t.Fatalf("not kept as it was: %+v", d)
			}
		}})
		if n := s.Stats().Records; n == 0 && kept != int64(len(changed)) {
			t.Fatalf("%d bytes of %d are nowhere", int64(len(changed))-kept, len(changed))
		}
		got := rest(t, s, 1)
		if bytes.Equal(base, text) && len(with) == to-from { // changed in place
			var want []string
			for i, end := range ends {
				begin := 0
				if i > 0 {
					begin = ends[i-1]
				}
				if bytes.Equal(changed[begin:end], text[begin:end]) {
					want = append(want, values[i])
				}
			}
			if fmt.Sprint(want) != fmt.Sprint(got) {
				t.Fatalf("read %q, want %q", got, want)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
