package journey

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestTheChannelGroupOfASession: of the first touchpoint that has one, by time and
// message, in whatever order they come, and with whatever merges on the way.
func TestTheChannelGroupOfASession(t *testing.T) {
	m := short()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "touchpoints")
		var list []*Touchpoint
		for i := range n {
			p := seenAt(fmt.Sprintf("m%d", i), start+rapid.Int64Range(0, 40).Draw(t, "at")*minute)
			p.ChannelGroup = rapid.SampledFrom([]string{"", "", "Email", "Paid Search", "Store"}).Draw(t, "group")
			list = append(list, p)
		}
		d := &Device{Identifier: "anonymous:a"}
		for _, i := range rapid.Permutation(indexes(n)).Draw(t, "order") {
			p := *list[i]
			require.Equal(t, Counted, d.Apply(&p, m, start+hour))
		}
		for _, s := range d.Sessions() {
			want := GroupDirect
			var first *Touchpoint
			for _, p := range list {
				if p.Time >= s.Start && p.Time <= s.End && p.ChannelGroup != "" && (first == nil || p.Key().Compare(first.Key()) < 0) {
					first, want = p, p.ChannelGroup
				}
			}
			require.Equal(t, want, s.ChannelGroup())
			if first != nil {
				require.Equal(t, pageAt{want, first.Time, first.MessageID}, s.Group)
			}
		}
	})
}

func indexes(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}
