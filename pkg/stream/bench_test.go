package stream

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// benchRow is a row as the device step has it: a named key and some 150 bytes.
func benchRow(name int) (key, value []byte) {
	key = append(nameKey(name), 's', 0x80, 0, 0, 1, 0, 0, 0, 0)
	value = make([]byte, 150)
	for i := range value { // compresses about as records do
		value[i] = byte((name * (i/6 + 3)) >> (i % 6))
	}
	return key, value
}

func nameKey(name int) []byte {
	id := append([]byte("anonymous:"), "00000000-4000-8000-000000000000"...)
	hex.Encode(id[10:], binary.BigEndian.AppendUint32(nil, uint32(name)*2654435761))
	hex.Encode(id[32:], binary.BigEndian.AppendUint32(nil, uint32(name)))
	key := binary.BigEndian.AppendUint16([]byte{'d'}, uint16(len(id)))
	return append(key, id...)
}

// cpu reports the processor time per operation, of all goroutines: what compaction
// takes counts, what other processes take does not.
func cpu(b *testing.B) {
	b.Helper()
	used := func() time.Duration {
		var u syscall.Rusage
		require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	began := used()
	b.ReportAllocs()
	b.Cleanup(func() { b.ReportMetric(float64(used()-began)/float64(max(b.N, 1)), "cpu-ns/op") })
}

// BenchmarkStore is what a step asks of a store: the rows of devices that are new
// and of such that are known, and commits of 1,000 rows. 300,000 rows are there.
func BenchmarkStore(b *testing.B) {
	const rows, commit = 300_000, 1_000
	for name, open := range stores() {
		store, _ := open(b)
		st := newState(store, &wirepb.PartitionMeta{})
		for i := range rows {
			key, value := benchRow(i)
			if st.Put(key, value); i%10_000 == 9_999 {
				require.NoError(b, st.commit(st.changes(), int64(i)))
			}
		}
		if p, ok := store.(*pebbleStore); ok {
			require.NoError(b, p.d.db.Flush())
			require.NoError(b, p.d.db.Compact(b.Context(), []byte{0}, []byte{255}, true))
		}
		scan := func(b *testing.B, first, n int) {
			b.Helper()
			cpu(b)
			for i := 0; b.Loop(); i++ {
				found := 0
				err := st.Scan(nameKey(first+rand.IntN(n)), func(_, _ []byte) error { found++; return nil })
				if err != nil {
					b.Fatal(err)
				}
				if (found > 0) != (first == 0) {
					b.Fatalf("found %d", found)
				}
				if i%1000 == 999 {
					require.NoError(b, st.release())
				}
			}
		}
		b.Run(name+"/scan-known", func(b *testing.B) { scan(b, 0, rows) })
		b.Run(name+"/scan-hot", func(b *testing.B) { scan(b, 0, 5_000) })
		b.Run(name+"/scan-new", func(b *testing.B) { scan(b, rows, rows) })
		b.Run(name+"/get-known", func(b *testing.B) {
			cpu(b)
			for b.Loop() {
				key, _ := benchRow(rand.IntN(5_000))
				v, err := st.Get(key)
				if err != nil || v == nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/put-and-commit-per-row", func(b *testing.B) {
			cpu(b)
			n := 0
			for b.Loop() {
				key, value := benchRow(rows + rand.IntN(rows))
				st.Put(key, value)
				if n++; n%commit == 0 {
					require.NoError(b, st.commit(st.changes(), int64(rows+n)))
				}
			}
		})
	}
}

// BenchmarkScanUnderOverlay: what a lookup costs while the open transaction holds
// few and many rows of others. It must not grow with those.
func BenchmarkScanUnderOverlay(b *testing.B) {
	for _, n := range []int{0, 100, 10_000, 100_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			st := newState(NewMemoryStore(), &wirepb.PartitionMeta{})
			for i := range n {
				st.Put(benchRow(i))
			}
			cpu(b)
			for i := 0; b.Loop(); i++ {
				if err := st.Scan(nameKey(n+i), func(_, _ []byte) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
