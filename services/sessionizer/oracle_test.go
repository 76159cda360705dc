package sessionizer_test

import (
	"fmt"
	"slices"
	"time"
)

// cutAtGaps cuts each identifier's times at pauses longer than half an hour.
func cutAtGaps(times map[string][]int64) map[string]int {
	gap := (30 * time.Minute).Milliseconds()
	out := map[string]int{}
	for id, list := range times {
		slices.Sort(list)
		for i := 0; i < len(list); {
			j := i + 1
			for j < len(list) && list[j]-list[j-1] <= gap {
				j++
			}
			out[fmt.Sprintf("anonymous:%s %d-%d n=%d", id, list[i], list[j-1], j-i)]++
			i = j
		}
	}
	return out
}
