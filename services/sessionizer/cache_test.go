package sessionizer

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type heavy string

func (h heavy) Name() string { return string(h) }
func (h heavy) Weight() int  { return 2000 }
func (h heavy) Slim()        {}

// TestTheCacheIsBounded: whatever is put in, what is kept weighs no more than two
// generations and one transaction; what is asked for all the time stays.
func TestTheCacheIsBounded(t *testing.T) {
	c := newCache[heavy](0)
	c.put("often")
	for i := range 100_000 {
		c.put(heavy(strconv.Itoa(i)))
		if i%500 == 0 {
			_, ok := c.get("often")
			require.True(t, ok, "after %d others", i)
			c.committed()
			require.LessOrEqual(t, 2000*(len(c.young)+len(c.old)), 2*cacheBytes+3*1_000_000)
		}
	}
	_, ok := c.get("0")
	require.False(t, ok)
	for range 2 * cacheBytes / 100 { // one that grows is weighed, too
		c.grew(100)
	}
	c.committed()
	require.Empty(t, c.young)
}

// TestCompletedProfilesAreWeighed: a profile that grew old with its tail alone, and
// whose points a late event fetches again, weighs what it weighs then.
func TestCompletedProfilesAreWeighed(t *testing.T) {
	r := newCostRig(t, shop(t))
	task, ok := r.profile.task.(*profileTask)
	require.True(t, ok)
	const profiles, points = 20, 400
	every := (7 * time.Minute).Milliseconds()
	for i := range int64(points) {
		for v := range profiles {
			r.event(v, i*every)
		}
		r.commit()
	}
	task.profiles.weight = task.profiles.limit + 1
	task.profiles.committed()
	require.Empty(t, task.profiles.young)
	for _, p := range task.profiles.old {
		require.True(t, p.TailOnly())
	}
	for v := range profiles {
		r.event(v, points*every-(100*time.Minute).Milliseconds()+1)
	}
	r.commit()
	weight := 0
	for _, p := range task.profiles.young {
		require.False(t, p.TailOnly())
		weight += p.Weight()
	}
	require.InDelta(t, weight, task.profiles.weight, float64(weight)/4)
}
