//go:build synctests

package sessionizer_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/cairnhq/cairn/services/sessionizer"
)

// seeds are the histories and schedules that each random simulation is run with.
func seeds() []int { return []int{0, 1, 2, 3} }

// flow writes the rest of the history in small parts, a few in each second.
func (s *sim) flow() {
	for s.sent < len(s.history.records) {
		s.produce(s.part(16))
		time.Sleep(300 * time.Millisecond)
	}
}

// TestSimulationRebalances has up to two or three members join, leave and crash at
// random moments while records flow.
func TestSimulationRebalances(t *testing.T) {
	for _, members := range []int{2, 3} {
		for _, seed := range seeds() {
			t.Run(fmt.Sprintf("%d members/%d", members, seed), func(t *testing.T) {
				t.Parallel()
				simulate(t, simOptions{seed: seed}, func(s *sim) { s.comeAndGo(rand.New(rand.NewPCG(uint64(s.seed), 1)), members) })
			})
		}
	}
}

func (s *sim) comeAndGo(rnd *rand.Rand, members int) {
	up := make([]*run, members)
	up[0] = s.start("m0")
	for range 14 {
		s.produce(s.part(16))
		time.Sleep(time.Duration(rnd.IntN(1500)) * time.Millisecond)
		i := rnd.IntN(members)
		if up[i] != nil {
			s.awaitStable()
		}
		switch {
		case up[i] == nil:
			up[i] = s.start(fmt.Sprintf("m%d", i))
		case rnd.IntN(3) == 0:
			up[i].crash()
			up[i] = nil
		default:
			up[i].stop()
			up[i] = nil
		}
	}
	for i := range up {
		if up[i] == nil {
			up[i] = s.start(fmt.Sprintf("m%d", i))
		}
	}
}

// TestSimulationZombie pauses a member before a request of each kind that its loop
// sends, and after the broker has acted on it, for longer than each timeout there
// is: the transaction's, the session's, the loop's own. Another takes over.
func TestSimulationZombie(t *testing.T) {
	for _, key := range []kmsg.Key{kmsg.Fetch, kmsg.Produce, kmsg.TxnOffsetCommit, kmsg.Heartbeat, kmsg.EndTxn} {
		for _, do := range []deed{stall, stallAfter} {
			for _, lasts := range []time.Duration{8 * time.Second, 12 * time.Second, 20 * time.Second, 40 * time.Second} {
				t.Run(fmt.Sprintf("%s/%s/%s", key.Name(), do, lasts), func(t *testing.T) {
					t.Parallel()
					simulate(t, simOptions{seed: int(lasts.Seconds())}, func(s *sim) {
						s.start("one")
						s.start("two")
						s.produce(s.part(4))
						time.Sleep(3 * time.Second)
						trouble := s.net.strike(&trouble{key: key, machine: "one", do: do, lasts: lasts})
						s.produce(s.part(4))
						time.Sleep(lasts - time.Second)
						s.flow()
						require.Positive(s.t, s.net.hits(trouble))
					})
				})
			}
		}
	}
}

// TestSimulationZombieClosesNothing: what a member has in hand when it is paused
// need not be records. Here time closes sessions in it, with no offset to commit,
// after another has taken over; and its coordinator is slow to tell it so.
func TestSimulationZombieClosesNothing(t *testing.T) {
	for _, seed := range seeds() {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			t.Parallel()
			simulate(t, simOptions{seed: seed}, func(s *sim) {
				began := time.Now()
				one := s.start("one")
				s.produce(len(s.history.records))
				s.settle()
				// The history ended ten minutes ago, so the first of its last sessions
				// closes within twenty.
				require.Positive(s.t, s.nextClose())
				due := time.UnixMilli(s.nextClose()).Sub(began)
				time.Sleep(due - 16*time.Second - time.Since(began))
				one.machine.stall(26 * time.Second)
				s.net.strike(&trouble{key: kmsg.Heartbeat, machine: "one", do: late, lasts: 4 * time.Second, count: 50})
				s.start("two") // has all partitions as soon as the first is given up
				time.Sleep(time.Minute)
			})
		})
	}
}

// TestSimulationZombieMeetsItsSuccessor pauses a member, starts its next incarnation
// under the same id meanwhile, and lets both run on: an init system that believed the
// first one dead does so. The broker must refuse one of the two for good.
func TestSimulationZombieMeetsItsSuccessor(t *testing.T) {
	for _, key := range []kmsg.Key{kmsg.Fetch, kmsg.Produce, kmsg.TxnOffsetCommit, kmsg.Heartbeat, kmsg.EndTxn} {
		for _, do := range []deed{stall, stallAfter} {
			t.Run(fmt.Sprintf("%s/%s", key.Name(), do), func(t *testing.T) {
				t.Parallel()
				simulate(t, simOptions{seed: int(key)}, func(s *sim) {
					zombie := s.start("one", func(o *sessionizer.Options) { o.MaxRestarts = 0 })
					zombie.once = true
					s.produce(s.part(4))
					time.Sleep(3 * time.Second)
					trouble := s.net.strike(&trouble{key: key, machine: "one", do: do, lasts: 20 * time.Second})
					s.produce(s.part(4))
					time.Sleep(4 * time.Second)
					require.Positive(s.t, s.net.hits(trouble))
					s.start("one")
					s.flow()
					time.Sleep(20 * time.Second)
					<-zombie.done
					require.Error(s.t, zombie.err, "the zombie noticed nothing")
				})
			})
		}
	}
}

// nextClose is when the next session closes.
func (s *sim) nextClose() int64 {
	next := int64(0)
	for i := range s.history.log {
		if at := s.history.log[i].Time + s.model.SessionGap; at > time.Now().UnixMilli() && (next == 0 || at < next) {
			next = at
		}
	}
	return next
}

// TestSimulationAborts aborts every k-th transaction: where its offsets are
// committed, or where its records are written.
func TestSimulationAborts(t *testing.T) {
	for key, e := range map[kmsg.Key]*kerr.Error{kmsg.TxnOffsetCommit: kerr.RebalanceInProgress, kmsg.Produce: kerr.TransactionAbortable} {
		for _, k := range []int{2, 3, 5} {
			t.Run(fmt.Sprintf("%s/%d", key.Name(), k), func(t *testing.T) {
				t.Parallel()
				simulate(t, simOptions{seed: k}, func(s *sim) {
					n := 0
					h := s.fake.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: e, Count: -1, When: func(r kmsg.Request) bool {
						if !s.ofStep(r) {
							return false
						}
						n++
						return n%k == 0
					}})
					s.start("one")
					s.flow()
					time.Sleep(5 * time.Second)
					require.Greater(s.t, h.Hits(), 5)
					h.Remove()
				})
			})
		}
	}
}

// TestSimulationCrashes kills a machine at every point of a commit, and starts its
// next incarnation at once, or after the broker has given the old one up.
func TestSimulationCrashes(t *testing.T) {
	for _, key := range []kmsg.Key{kmsg.Produce, kmsg.TxnOffsetCommit, kmsg.EndTxn} {
		for _, do := range []deed{killBefore, killAfter} {
			for i, wait := range []time.Duration{0, 11 * time.Second, 20 * time.Second} {
				t.Run(fmt.Sprintf("%s/%s/%s", key.Name(), do, wait), func(t *testing.T) {
					t.Parallel()
					simulate(t, simOptions{seed: i}, func(s *sim) {
						for again := range 3 {
							one := s.start("one")
							blow := s.net.strike(&trouble{key: key, machine: "one", do: do, skip: again})
							for s.alive(one) {
								s.produce(s.part(24))
								s.workOff(one)
							}
							one.crash()
							time.Sleep(wait)
							require.Positive(s.t, s.net.hits(blow))
						}
						s.start("one")
					})
				})
			}
		}
	}
}

// TestSimulationCrashesOnTheWayUp kills each incarnation while it starts: joins,
// fetches offsets, restores.
func TestSimulationCrashesOnTheWayUp(t *testing.T) {
	for _, key := range []kmsg.Key{kmsg.InitProducerID, kmsg.JoinGroup, kmsg.SyncGroup, kmsg.OffsetFetch, kmsg.ListOffsets, kmsg.Fetch} {
		t.Run(key.Name(), func(t *testing.T) {
			t.Parallel()
			simulate(t, simOptions{seed: int(key)}, func(s *sim) {
				first := s.start("one")
				s.produce(s.part(2))
				s.net.strike(&trouble{key: kmsg.EndTxn, machine: "one", do: killAfter, skip: 3})
				for s.alive(first) {
					time.Sleep(100 * time.Millisecond)
				}
				first.crash()
				for _, do := range []deed{killBefore, killAfter, killAfter} {
					s.net.strike(&trouble{key: key, machine: "one", do: do, skip: 1})
					next := s.start("one")
					s.produce(s.part(16))
					for s.alive(next) {
						time.Sleep(100 * time.Millisecond)
					}
					next.crash()
				}
				s.start("one")
			})
		})
	}
}

// workOff waits until everything is worked off or the machine is dead.
func (s *sim) workOff(r *run) {
	for s.alive(r) && s.behind() != "" {
		time.Sleep(200 * time.Millisecond)
	}
}

// alive is false once the machine is dead.
func (s *sim) alive(r *run) bool {
	select {
	case <-r.machine.died:
		return false
	default:
		return true
	}
}

// TestSimulationCoordinators moves the coordinators of groups and transactions and
// breaks all connections, while records flow.
func TestSimulationCoordinators(t *testing.T) {
	for _, seed := range seeds() {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			t.Parallel()
			simulate(t, simOptions{seed: seed, brokers: 3}, func(s *sim) {
				rnd := rand.New(rand.NewPCG(uint64(s.seed), 2))
				s.start("one")
				s.start("two")
				for range 12 {
					s.produce(s.part(12))
					time.Sleep(time.Duration(rnd.IntN(700)) * time.Millisecond)
					s.fake.RehashCoordinators()
					if rnd.IntN(2) == 0 {
						s.runs[rnd.IntN(2)].machine.cutAll()
					}
				}
			})
		})
	}
}
