package warehouse

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// seeds are the crowds that properties are tried on.
func seeds() []uint64 { return []uint64{1, 2, 3} }

// forCrowds runs a test on crowds of people and robots.
func forCrowds(t *testing.T, test func(t *testing.T, h *house, people []*walk)) {
	t.Helper()
	for _, seed := range seeds() {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			h, list := newCrowd(t, seed, 250)
			test(t, h, humans(list))
		})
	}
}

// figure reads a column of a row that bi made.
func figure(t *testing.T, s string) float64 {
	t.Helper()
	n, err := strconv.ParseFloat(s, 64)
	require.NoError(t, err, s)
	return n
}

// The funnel holds each profile once, never rises, and adds up.
func TestTheFunnelIsMonotone(t *testing.T) {
	forCrowds(t, func(t *testing.T, h *house, people []*walk) {
		t.Helper()
		furthest := map[string]int{}
		for _, w := range people {
			furthest[w.profile] = max(furthest[w.profile], w.furthest)
		}
		rows := h.bi("toString(profiles), toString(went_on), toString(entered), toString(converted), toString(dropped), toString(still_open)", "v_stage_funnel ORDER BY stage_order")
		require.Len(t, rows, len(crowdStages()))
		for i, row := range rows {
			n := map[bool]int{}
			for _, f := range furthest {
				if f >= i+1 {
					n[f > i+1]++
				}
			}
			reached, went := n[true]+n[false], n[true]
			converted := went
			if i == len(rows)-1 {
				converted = reached
			}
			require.Equal(t, fmt.Sprintf("%d %d %d %d %d 0", reached, went, reached, converted, reached-converted), row, crowdStages()[i])
		}
	})
}

// Every edge of the graph of paths is a two-step funnel: the profiles that had one
// item at a place and the other right after it, counted without SQL. Items beyond
// the 9 that most have at a place are one.
func TestEveryEdgeIsATwoStepFunnel(t *testing.T) {
	forCrowds(t, func(t *testing.T, h *house, people []*walk) {
		t.Helper()
		want := map[string]int{}
		for _, kind := range []string{"stage", "channel", "event"} {
			for edge, n := range edges(people, kind) {
				want[kind+" "+edge] = n
			}
		}
		got := map[string]int{}
		into, out := map[string]float64{}, map[string]float64{}
		for _, row := range h.bi("kind, toString(from_step), from_item, toString(to_step), to_item, toString(profiles)", "v_path_edges") {
			f := strings.Fields(row)
			n := figure(t, f[5])
			got[fmt.Sprintf("%s %s %s %s", f[0], f[1], f[2], f[4])] += int(n)
			out[f[0]+f[1]+f[2]] += n
			into[f[0]+f[3]+f[4]] += n
		}
		require.Equal(t, want, got)
		for node, n := range out {
			if !strings.HasSuffix(node, "(start)") {
				require.InDelta(t, into[node], n, 0, "what leaves %s is what enters it", node)
			}
		}
	})
}

// edges counts the pairs of neighbours at each place, one path per profile.
func edges(people []*walk, kind string) map[string]int {
	const longest = 10
	var paths [][]string
	count := map[string]int{}
	for _, w := range people {
		p := w.paths()[kind]
		if !w.latest || len(p) == 0 {
			continue
		}
		end := "(exit)"
		if len(p) > longest {
			p, end = p[:longest], "(more)"
		}
		nodes := append(append([]string{"(start)"}, p...), end)
		paths = append(paths, nodes)
		for i, item := range nodes[:len(nodes)-1] {
			count[fmt.Sprintf("%02d %s", i, item)]++
		}
	}
	kept := map[string]bool{}
	for i := range longest + 1 {
		var items []string
		for node := range count {
			if strings.HasPrefix(node, fmt.Sprintf("%02d ", i)) {
				items = append(items, node)
			}
		}
		slices.SortFunc(items, func(a, b string) int {
			if count[a] != count[b] {
				return count[b] - count[a]
			}
			return strings.Compare(a, b)
		})
		for _, item := range items[:min(9, len(items))] {
			kept[item] = true
		}
	}
	name := func(i int, nodes []string) string {
		if i == len(nodes)-1 || kept[fmt.Sprintf("%02d %s", i, nodes[i])] {
			return nodes[i]
		}
		return "(other)"
	}
	result := map[string]int{}
	for _, nodes := range paths {
		for i := range len(nodes) - 1 {
			result[fmt.Sprintf("%d %s %s", i, name(i, nodes), name(i+1, nodes))]++
		}
	}
	return result
}

// Whole paths: each profile is in one row of a kind.
func TestTopPathsHoldEachProfileOnce(t *testing.T) {
	forCrowds(t, func(t *testing.T, h *house, people []*walk) {
		t.Helper()
		profiles, converted := map[string]int{}, map[string]int{}
		common := map[string]int{}
		for _, w := range people {
			for kind, path := range w.paths() {
				if !w.latest || len(path) == 0 {
					continue
				}
				profiles[kind]++
				if w.converted {
					converted[kind]++
				}
				if kind == "stage" {
					common[strings.Join(path, " > ")]++
				}
			}
		}
		for kind := range profiles {
			require.Equal(t, []string{fmt.Sprintf("%d %d 1", profiles[kind], converted[kind])},
				h.bi("toString(sum(profiles)), toString(sum(converted_profiles)), toString(round(sum(share), 9))", "v_top_paths WHERE kind = '"+kind+"'"), kind)
		}
		for path, n := range common {
			require.Equal(t, []string{strconv.Itoa(n)}, h.bi("toString(profiles)", "v_top_paths WHERE kind = 'stage' AND path = '"+path+"'"), path)
		}
		require.LessOrEqual(t, int(figure(t, h.bi("toString(count())", "v_top_paths WHERE kind = 'event'")[0])), 101)
	})
}

// The credits of each model sum to the conversions and their revenue, and are those
// that a computation by definition finds.
func TestCreditsSumToConversions(t *testing.T) {
	forCrowds(t, func(t *testing.T, h *house, people []*walk) {
		t.Helper()
		conversions, revenue := 0.0, 0.0
		want := map[string]float64{}
		for _, w := range people {
			if !w.converted {
				continue
			}
			conversions++
			revenue += float64(w.revenue) / 1e6
			for model, weights := range weights(w) {
				for i, group := range w.touches() {
					want[model+" "+group] += weights[i]
				}
			}
		}
		require.Greater(t, conversions, 10.0)
		for group, share := range markov(t, people) {
			want["markov "+group] = share * conversions
		}
		got := map[string]float64{}
		sums, money := map[string]float64{}, map[string]float64{}
		for _, row := range h.bi("model, toString(conversions), toString(revenue), channel_group", "v_attribution") {
			f := strings.SplitN(row, " ", 4)
			got[f[0]+" "+f[3]] = figure(t, f[1])
			sums[f[0]] += figure(t, f[1])
			money[f[0]] += figure(t, f[2])
		}
		require.Len(t, sums, 7)
		for model := range sums {
			require.InDelta(t, conversions, sums[model], 1e-6, model)
			require.InDelta(t, revenue, money[model], 1e-4, model)
		}
		for key, credit := range want {
			require.InDelta(t, credit, got[key], 1e-6, key)
		}
	})
}

// weights are what each of a walk's sessions gets by the models that look at one
// journey alone.
func weights(w *walk) map[string][]float64 {
	groups := w.touches()
	n := len(groups)
	one := func(i int) []float64 {
		list := make([]float64, n)
		list[i] = 1
		return list
	}
	known := n - 1
	for i, g := range groups {
		if g != "Direct" {
			known = i
		}
	}
	if groups[known] == "Direct" {
		known = n - 1
	}
	linear, position, decay := make([]float64, n), make([]float64, n), make([]float64, n)
	const week = 7 * 24 * 60 * 60 * 1000
	fresh := 0.0
	for _, p := range w.sessions() {
		fresh += math.Pow(0.5, float64(w.goalAt-p.TimeMs)/week)
	}
	for i, p := range w.sessions() {
		linear[i] = 1 / float64(n)
		decay[i] = math.Pow(0.5, float64(w.goalAt-p.TimeMs)/week) / fresh
		switch {
		case n <= 2:
			position[i] = 1 / float64(n)
		case i == 0 || i == n-1:
			position[i] = 0.4
		default:
			position[i] = 0.2 / float64(n-2)
		}
	}
	return map[string][]float64{"first": one(0), "last": one(n - 1), "last_non_direct": one(known), "linear": linear, "position": position, "time_decay": decay}
}

// markov is each channel's share of the removal effects, by definition: how many
// conversions the chain loses when every step into the channel ends there.
func markov(t *testing.T, people []*walk) map[string]float64 {
	t.Helper()
	steps := map[string]map[string]float64{}
	for _, w := range people {
		path := append([]string{"start"}, w.touches()...)
		end := "ended"
		if w.converted {
			end = "converted"
		}
		for i, from := range path {
			to := end
			if i+1 < len(path) {
				to = path[i+1]
			}
			if steps[from] == nil {
				steps[from] = map[string]float64{}
			}
			steps[from][to]++
		}
	}
	converts := func(removed string) float64 {
		p := map[string]float64{"converted": 1}
		for range 5000 { // far more rounds than the longest path
			for from, row := range steps {
				total, sum := 0.0, 0.0
				for to, n := range row {
					total += n
					if to != removed {
						sum += n * p[to]
					}
				}
				p[from] = sum / total
			}
		}
		return p["start"]
	}
	effects, sum := map[string]float64{}, 0.0
	for channel := range steps {
		if channel != "start" {
			effects[channel] = 1 - converts(channel)/converts("")
			sum += effects[channel]
		}
	}
	for channel := range effects {
		effects[channel] /= sum
		require.False(t, math.IsNaN(effects[channel]))
	}
	return effects
}

// Numbers of the map are of unique profiles, and its touchpoints add up.
func TestTheMapCountsUniqueProfiles(t *testing.T) {
	forCrowds(t, func(t *testing.T, h *house, people []*walk) {
		t.Helper()
		stages := append([]string{""}, crowdStages()...)
		touchpoints, profiles := map[string]int{}, map[string]map[string]bool{}
		for _, w := range people {
			for i, p := range w.points {
				if w.stageAt[i] == 0 {
					continue
				}
				persona := []string{"-", "loyal", "browser"}[len(w.points)%3]
				cell := strings.Join([]string{persona, stages[w.stageAt[i]], p.Channel, p.Event}, " ")
				touchpoints[cell]++
				if profiles[cell] == nil {
					profiles[cell] = map[string]bool{}
				}
				profiles[cell][w.profile] = true
			}
		}
		want := []string{}
		for cell, n := range touchpoints {
			want = append(want, fmt.Sprintf("%s %d %d", cell, n, len(profiles[cell])))
		}
		require.ElementsMatch(t, want, h.bi("if(persona = '', '-', persona), stage, channel, event, toString(touchpoints), toString(profiles)", "v_journey_map"))
	})
}

// Frictions are counted once each, and drop-off is that of the journeys that had
// them against all others that reached the stage.
func TestFrictionAgainstTheOthers(t *testing.T) {
	forCrowds(t, func(t *testing.T, h *house, people []*walk) {
		t.Helper()
		stages := append([]string{""}, crowdStages()...)
		want := []string{}
		for _, name := range []string{"rage_click", "payment_failed"} {
			for order, stage := range stages {
				frictions, profiles := 0, map[string]bool{}
				var with, without struct{ settled, dropped float64 }
				for _, w := range people {
					hit := 0
					for _, f := range w.friction {
						if f.Name == name && f.Stage == stage {
							hit++
							profiles[w.profile] = true
						}
					}
					frictions += hit
					group := &without
					if hit > 0 {
						group = &with
					}
					if order > 0 && w.furthest >= order {
						group.settled++
						if w.furthest == order {
							group.dropped++
						}
					}
				}
				if frictions == 0 {
					continue
				}
				share := func(n, of float64) string {
					if of == 0 || order == len(stages)-1 {
						return "-"
					}
					return fmt.Sprintf("%.6f", n/of)
				}
				want = append(want, fmt.Sprintf("%s|%s|%d|%d|%.0f|%s|%s", name, stage, frictions, len(profiles), with.settled, share(with.dropped, with.settled), share(without.dropped, without.settled)))
			}
		}
		rounded := func(column string) string { return "ifNull(printf('%.6f', " + column + "), '-')" }
		require.ElementsMatch(t, want, h.column("SELECT concatWithSeparator('|', name, stage, toString(frictions), toString(profiles), toString(settled_journeys), "+
			rounded("drop_off")+", "+rounded("drop_off_without")+") FROM "+h.ns+"_bi.v_friction"))
	})
}
