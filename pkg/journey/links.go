package journey

import (
	"cmp"
	"slices"
	"sort"
	"strings"
)

// Link says that at (Time, MessageID) an identifier was seen with a user.
type Link struct {
	Time      int64
	MessageID string
	UserID    string
}

func (l Link) compare(o Link) int {
	// Two identifiers may share a message id, so that the user decides last.
	return cmp.Or(cmp.Compare(l.Time, o.Time), strings.Compare(l.MessageID, o.MessageID), strings.Compare(l.UserID, o.UserID))
}

// MaxLinks is how many links of an identifier are kept one by one. Beyond it
// the older half is reduced to its changes of user, which is exact unless a
// link arrives inside the reduced part, and then the oldest changes are dropped.
const MaxLinks = 1024

// Ownership is what is known of whose an identifier is (semantics D4).
type Ownership struct {
	Links   []Link   // sorted by time and message
	Users   []string // all ever seen, sorted, at most the limit + 1
	Epoch   uint64   // grows by one with each change of Map
	Map     []Link   // changes of user, oldest first; the first entry also covers all before it
	Frozen  bool     // seen with more users than the limit: no link counts
	Reduced bool     // older links were reduced to changes
}

// Add records a link and reports whether the map changed. Adding a link twice
// changes nothing.
func (o *Ownership) Add(l Link, userLimit int) bool {
	i, found := slices.BinarySearchFunc(o.Links, l, Link.compare)
	if found {
		return false
	}
	pack(&l.MessageID, &l.UserID)
	if u, known := slices.BinarySearch(o.Users, l.UserID); !known {
		o.Users = slices.Insert(o.Users, u, l.UserID)
	}
	if len(o.Users) > userLimit {
		if o.Frozen {
			o.Users = o.Users[:userLimit+1]
			return false
		}
		o.Frozen, o.Links, o.Map = true, nil, nil // frozen is for ever: the users stay, the links can go
		o.Epoch++
		return true
	}
	o.Links = slices.Insert(o.Links, i, l)
	if len(o.Links) > MaxLinks {
		o.reduce()
	}
	changes := changesOf(o.Links)
	if slices.Equal(changes, o.Map) {
		return false
	}
	o.Map = changes
	o.Epoch++
	return true
}

// Owner is the user a touchpoint of the identifier without a user id of its own
// belongs to, or "" if it is the identifier's own.
func (o *Ownership) Owner(at int64, messageID string) string { return OwnerByMap(o.Map, at, messageID) }

// OwnerByMap reads a map of changes: the user of the last entry at or before
// (at, messageID), before the first entry the first one's, "" without entries.
func OwnerByMap(m []Link, at int64, messageID string) string {
	if len(m) == 0 {
		return ""
	}
	later := sort.Search(len(m), func(i int) bool {
		return m[i].Time > at || m[i].Time == at && m[i].MessageID > messageID
	})
	return m[max(later-1, 0)].UserID
}

func (o *Ownership) reduce() {
	half := len(o.Links) / 2
	o.Links = append(changesOf(o.Links[:half]), o.Links[half:]...)
	if excess := len(o.Links) - MaxLinks; excess > 0 { // users in turns: the oldest are forgotten
		o.Links = slices.Delete(o.Links, 0, excess)
	}
	o.Reduced = true
}

func changesOf(links []Link) []Link {
	var out []Link
	for i, l := range links {
		if i == 0 || l.UserID != links[i-1].UserID {
			out = append(out, l)
		}
	}
	return out
}
