package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPeersResultIsRead(t *testing.T) {
	r, err := parseResult("gocopy-fast\t302871\t4.12\t1.40\t159\tFAILED: 1 missing\t28 transactions")
	require.NoError(t, err)
	require.Equal(t, result{"gocopy-fast", 302871, 4.12, 1.40, 159, "FAILED: 1 missing", "28 transactions"}, r)
	for _, bad := range []string{"", "kstreams\t-\t-\t-\t-\tFAILED\tno", "a\t1\t2\t3\t4\tok"} {
		_, err := parseResult(bad)
		require.Error(t, err, bad)
	}
}

func TestARowWhoseCheckFailsFailsTheRun(t *testing.T) {
	var r report
	r.add(result{check: failure("", differs("sessions", 3, 3))})
	require.False(t, r.failed)
	r.add(result{check: failure(join(differs("a", 1, 2), "b"), differs("c", 3, 4))})
	require.True(t, r.failed)
	require.Equal(t, "FAILED: 1 a, want 2; b; 3 c, want 4", r.results[1].check)
}

func TestOneFailedRunFailsTheMedian(t *testing.T) {
	var b bench
	m := b.median([]result{{rate: 3, check: "ok"}, {rate: 1, check: "FAILED: x"}, {rate: 2, check: "ok"}})
	require.Equal(t, result{rate: 2, check: "FAILED: x", note: ", median of 3 runs (1 to 3 events/s)"}, m)
	require.True(t, b.report.failed)
}

func TestNewestRowsAreSummed(t *testing.T) {
	rows := newest{}
	rows.add([]byte("a"), 1, 5)
	rows.add([]byte("a"), 3, 7)
	rows.add([]byte("a"), 2, 9)
	rows.add([]byte("b"), 1, 1)
	rows.add([]byte("b"), 2, 0) // void
	n, sum := rows.sum()
	require.Equal(t, [2]int{1, 7}, [2]int{n, sum})
}

func TestCostsAreRead(t *testing.T) {
	list, err := parseCosts(`goos: linux
BenchmarkCost/rules/1x/1-2  2000  64029 ns/op  505.9 device-bytes/op  100 profile-cpu-ns/op
BenchmarkCost/rules/1x/1-2  2000  64029 ns/op  505.9 device-bytes/op  300 profile-cpu-ns/op
BenchmarkCost/rules/1x/1-2  2000  64029 ns/op  505.9 device-bytes/op  200 profile-cpu-ns/op
BenchmarkCost/rules/100x/64  2000  64029 ns/op  600 device-bytes/op  900 profile-cpu-ns/op
PASS
`)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, [3]string{"1", "", "64"}, list[0].sizes)
	require.InDelta(t, 200, middle(list[0].figures[0]["profile-cpu-ns/op"]), 0)
	require.InDelta(t, 600, middle(list[0].figures[2]["device-bytes/op"]), 0)
	_, err = parseCosts("BenchmarkCost/rules/5x/1-2 1 2 ns/op")
	require.Error(t, err)
	_, err = parseCosts("PASS")
	require.Error(t, err)
}

func TestACaseWithoutFiguresFails(t *testing.T) {
	var b bench
	list, err := parseCosts("BenchmarkCost/rules/1x/1-2  2000  64029 ns/op  100 profile-cpu-ns/op")
	require.NoError(t, err)
	b.costTable("", list, "profile-cpu-ns/op", 1)
	require.True(t, b.report.failed, "two scales are missing")
}

func TestQuantile(t *testing.T) {
	list := make([]int64, 100)
	for i := range list {
		list[i] = int64(i + 1)
	}
	require.Equal(t, [3]int64{51, 100, 100}, [3]int64{quantile(list, .5), quantile(list, .99), quantile(list, 1)})
	require.Equal(t, int64(7), quantile([]int64{7}, .99))
}
