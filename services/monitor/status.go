package monitor

import (
	"fmt"
	"time"
)

// Status is how a group does on a partition, in a word.
type Status string

// The statuses.
const (
	OK          Status = "ok"           // caught up, or behind by less than MaxLag
	Lagging     Status = "lagging"      // behind by MaxLag or more
	Stalled     Status = "stalled"      // behind, connected, and not moving
	NoConsumers Status = "no_consumers" // nobody is connected
	NoCommit    Status = "no_commit"    // the group has never committed here
	Unknown     Status = "unknown"      // Kafka did not tell
)

// Statuses lists all of them.
func Statuses() []Status { return []Status{OK, Lagging, Stalled, NoConsumers, NoCommit, Unknown} }

// history is what earlier looks saw. Judging moves at look time and on fresh end
// offsets, a quiet topic is never taken for a dead consumer.
type history map[partitionKey]*seen

type seen struct {
	committed int64
	since     time.Time // first look that saw it like this
	moved     bool      // it was seen to change, so since is a commit's time
	behind    time.Time // first look of an uninterrupted time of being behind; zero: is not
	stable    int64     // last stable offset
	held      time.Time // first look at which it stood still before an open transaction; zero: does not
}

// settle fills in seconds, status and reason.
func (s *Service) settle(snap *Snapshot, p *PartitionLag, heads map[partitionKey]head) {
	if p.Status == Unknown {
		return
	}
	members := snap.Members[p.Group]
	if p.Lag == nil {
		p.Status, p.Reason = neverCommitted(p, members)
		return
	}
	if !p.age(snap.At, heads) {
		p.Status, p.Reason = Unknown, "the first record after the committed offset could not be read in time"
	}
	h := s.history.note(p, snap.At)
	if h.moved {
		p.LastCommit = &h.since
	}
	if p.Status != Unknown {
		p.Status, p.Reason = s.judge(p, h, members, snap.At)
	}
}

// age sets Seconds; false if the record that tells was not read.
func (p *PartitionLag) age(now time.Time, heads map[partitionKey]head) bool {
	seconds := 0.0
	if *p.Lag > 0 {
		h, ok := heads[p.key()]
		if !ok {
			return false
		}
		if h.none {
			*p.Lag = 0 // markers alone are nothing to do
		} else {
			seconds = max(now.Sub(h.at).Seconds(), 0)
		}
	}
	p.Seconds = &seconds
	return true
}

func neverCommitted(p *PartitionLag, members int) (Status, string) {
	switch waiting := *p.End - *p.Start; {
	case waiting == 0 && members > 0:
		return OK, "the partition is empty, so nothing was committed yet"
	case waiting == 0:
		return NoConsumers, "no consumer is connected; the partition is empty"
	case members == 0:
		return NoCommit, fmt.Sprintf("nothing was ever committed and no consumer is connected; up to %d records wait", waiting)
	default:
		return NoCommit, fmt.Sprintf("nothing was committed yet; up to %d records wait", waiting)
	}
}

func (s *Service) judge(p *PartitionLag, h *seen, members int, now time.Time) (Status, string) {
	behind := "caught up"
	if *p.Lag > 0 {
		behind = fmt.Sprintf("%d records, %s behind", *p.Lag, round(*p.Seconds))
	}
	if lost := *p.Start - *p.Committed; lost > 0 {
		behind += fmt.Sprintf("; %d offsets were deleted before they were read", lost)
	}
	late := time.Duration(*p.Seconds * float64(time.Second))
	switch {
	case members == 0:
		return NoConsumers, "no consumer is connected; " + behind
	case !h.held.IsZero() && now.Sub(h.held) >= s.o.StallAfter:
		return Stalled, fmt.Sprintf("an open transaction has held back %d offsets for %s; %s", p.newest-*p.End, round(now.Sub(h.held).Seconds()), behind)
	case !h.behind.IsZero() && now.Sub(later(h.behind, h.since)) >= s.o.StallAfter:
		return Stalled, fmt.Sprintf("no commit for %s; %s", round(now.Sub(later(h.behind, h.since)).Seconds()), behind)
	case late >= s.o.MaxLag:
		return Lagging, behind
	}
	return OK, behind
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// round writes a time as people read it.
func round(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// note remembers a look at p.
func (hs history) note(p *PartitionLag, now time.Time) *seen {
	h := hs[p.key()]
	if h == nil {
		h = &seen{committed: *p.Committed, since: now, stable: *p.End}
		hs[p.key()] = h
	}
	if h.committed != *p.Committed {
		h.committed, h.since, h.moved = *p.Committed, now, true
	}
	switch {
	case *p.Lag == 0:
		h.behind = time.Time{}
	case h.behind.IsZero():
		h.behind = now
	}
	switch {
	case p.newest <= *p.End || h.stable != *p.End:
		h.held = time.Time{}
		h.stable = *p.End
		if p.newest > *p.End {
			h.held = now
		}
	case h.held.IsZero():
		h.held = now
	}
	return h
}

// forget drops partitions that are gone: the map is as large as the last look.
func (hs history) forget(snap *Snapshot) {
	if len(hs) <= len(snap.Partitions) {
		return
	}
	now := map[partitionKey]bool{}
	for i := range snap.Partitions {
		now[snap.Partitions[i].key()] = true
	}
	for k := range hs {
		if !now[k] {
			delete(hs, k)
		}
	}
}
