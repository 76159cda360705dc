package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// costRuns is how often each case is run; the median counts.
const costRuns = 3

// scales are those of the benchmark, in its order.
func scales() []string { return []string{"1x", "10x", "100x"} }

// costOf are the runs of one case: figures by unit, at each scale.
type costOf struct {
	name    string
	sizes   [3]string
	figures [3]map[string][]float64
}

// cost prints what an event costs, by the size of the model and the age of the
// profile: the benchmark of services/sessionizer as tables.
func (b *bench) cost(ctx context.Context) error {
	say("cost per event")
	var out strings.Builder
	err := command(ctx, "", &out, nil, "go", "test", "-run", "^$", "-bench", "^BenchmarkCost$", "-benchtime", "2000x",
		"-count", strconv.Itoa(costRuns), "-timeout", "30m", "github.com/cairnhq/cairn/services/sessionizer")
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out.String())
	}
	list, err := parseCosts(out.String())
	if err != nil {
		return err
	}
	b.costTable("Cost per event, profile step: processor time in microseconds", list, "profile-cpu-ns/op", 1000)
	b.costTable("Cost per event, device step: processor time in microseconds", list, "device-cpu-ns/op", 1000)
	b.costTable("Cost per event, both steps: bytes of state written", list, "bytes", 1)
	b.costTable("Cost per event, both steps: rows of state written", list, "rows", 1)
	return nil
}

// costTable prints a figure at each scale, and by how much it grew.
func (b *bench) costTable(title string, list []costOf, unit string, per float64) {
	t := b.report.table(title, "by", "sizes", "1x", "10x", "100x or as much as may be", "largest to smallest size", "check")
	for _, c := range list {
		var at [3]float64
		missing := 0
		for i := range at {
			switch unit {
			case "bytes", "rows":
				at[i] = middle(c.figures[i]["device-"+unit+"/op"]) + middle(c.figures[i]["profile-"+unit+"/op"])
			default:
				at[i] = middle(c.figures[i][unit]) / per
			}
			if at[i] == 0 {
				missing++
			}
		}
		row := []string{c.name, strings.Join(c.sizes[:], ", ")}
		for _, v := range at {
			row = append(row, fmt.Sprintf("%.1f", v))
		}
		check := b.report.verdict(failure(differs("figures are missing", missing, 0)))
		t.add(append(row, fmt.Sprintf("%.2f", at[2]/at[0]), check)...)
	}
}

// middle is the median, 0 of nothing.
func middle(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}

// parseCosts reads lines of the form
//
//	BenchmarkCost/rules/10x/10-2  2000  64029 ns/op  505.9 device-bytes/op ...
func parseCosts(out string) ([]costOf, error) {
	var list []costOf
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) < 4 || !strings.HasPrefix(f[0], "BenchmarkCost/") {
			continue
		}
		path := strings.Split(f[0], "/")
		scale := -1
		if len(path) == 4 {
			scale = slices.Index(scales(), path[2])
		}
		if scale < 0 {
			return nil, fmt.Errorf("the benchmark printed %q", line)
		}
		i := slices.IndexFunc(list, func(c costOf) bool { return c.name == path[1] })
		if i < 0 {
			i = len(list)
			list = append(list, costOf{name: path[1]})
		}
		c := &list[i]
		c.sizes[scale], _, _ = strings.Cut(path[3], "-")
		if c.figures[scale] == nil {
			c.figures[scale] = map[string][]float64{}
		}
		for k := 2; k+1 < len(f); k += 2 {
			v, err := strconv.ParseFloat(f[k], 64)
			if err != nil {
				return nil, fmt.Errorf("the benchmark printed %q: %w", line, err)
			}
			c.figures[scale][f[k+1]] = append(c.figures[scale][f[k+1]], v)
		}
	}
	if len(list) == 0 {
		return nil, errors.New("the benchmark printed no case:\n" + out)
	}
	return list, nil
}
