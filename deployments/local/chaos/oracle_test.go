//go:build linux

package main

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/journey/journeytest"
	"github.com/cairnhq/cairn/pkg/model"
	"github.com/cairnhq/cairn/pkg/wire"
)

// What a run is held against is the project's own brute-force model's answer,
// too, which was written from the same definitions by others.
func TestTheOracleAgreesWithTheBruteForceModel(t *testing.T) {
	shop, err := model.Builtin("shop")
	require.NoError(t, err)
	for seed := range uint64(2) {
		o := newOracle()
		var log []journey.Touchpoint
		for r, err := range ownWorkload(seed, 5_000).records {
			require.NoError(t, err)
			require.NoError(t, o.add(r.value))
			var raw wire.Raw
			if wire.DecodeRaw(&wire.RawRecord{Value: r.value, Arrival: 1 << 45}, &raw) == nil {
				log = append(log, raw.Touchpoint)
			}
		}
		o.finish()
		answer := journeytest.Batch(shop, log, 1<<45)

		var want, got []string
		for _, s := range answer.Sessions {
			want = append(want, fmt.Sprint(s.Identifier, s.Start, s.End, s.Count))
		}
		for s, to := range o.sessions {
			got = append(got, fmt.Sprint(o.names[s.identifier], s.time, to.end, to.touchpoints))
		}
		sameBag(t, "sessions", want, got)
		want, got = nil, nil
		for at, owner := range answer.Owners {
			i := o.find(at.Identifier, at.MessageID)
			require.GreaterOrEqual(t, i, int32(0), at)
			require.Equal(t, owner, o.names[o.points[i].owner], at)
		}
		require.Len(t, o.points, len(answer.Owners))
		for _, j := range answer.Journeys {
			want = append(want, fmt.Sprint(j.Profile, j.Start, j.End, j.Touchpoints, j.Business))
		}
		for profile, j := range o.journeys {
			got = append(got, fmt.Sprint(o.names[profile], j.start, j.end, j.customer, j.byBusiness))
		}
		sameBag(t, "journeys", want, got)
		b := o.books
		require.Equal(t, b.accepted, b.touchpoints+b.duplicates+b.rejected+b.late)
		for _, n := range []uint64{b.duplicates, b.rejected, b.late} {
			require.NotZero(t, n, "each kind of record occurs: %v", b)
		}
	}
}

func sameBag(t *testing.T, what string, want, got []string) {
	t.Helper()
	slices.Sort(want)
	slices.Sort(got)
	require.NotEmpty(t, want)
	require.Equal(t, want, got, what)
}
