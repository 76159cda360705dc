package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/cairnhq/cairn/pkg/stream"
)

// namespace is where the workload goes through cairn.
const namespace = "bench"

// What the sessionizer is called with, and how its rows begin.
const (
	deviceStep  = stream.GroupDevice
	profileStep = stream.GroupProfile
	bothSteps   = deviceStep + "," + profileStep
	rowBoth     = "cairn both steps"
)

// Counters of the sessionizer.
const (
	metricAccepted    = "cairn_sessionizer_accepted_total"
	metricOutcome     = "cairn_sessionizer_outcomes_total{outcome="
	metricTransitions = "cairn_sessionizer_transitions_total"
	metricRestored    = "cairn_step_restored_rows_total"
	metricCommits     = "cairn_step_commits_total"
)

func stepRecords(step string) string {
	return "cairn_step_records_total{step=" + strconv.Quote(step) + "}"
}

// sessionizer measures the steps alone and together beside the peers: the same
// records, the same broker, the same time between commits.
func (b *bench) sessionizer(ctx context.Context) error {
	if err := b.generate(ctx, "touchpoints.raw"); err != nil {
		return err
	}
	copied, err := b.peerRow(ctx, "bin/gocopy", b.onKafka("--parse=none", "--runs="+strconv.Itoa(b.runs))...)
	if err != nil {
		return err
	}
	parsed, err := b.peerRow(ctx, "bin/gocopy", b.onKafka("--parse=fast", "--runs="+strconv.Itoa(b.runs))...)
	if err != nil {
		return err
	}
	rival, err := b.peerRow(ctx, "kstreams/run", b.onKafka("--sessions="+strconv.Itoa(b.sessions), "--unique="+strconv.Itoa(b.unique))...)
	if err != nil {
		return err
	}
	var device, profile, both []result
	for range b.runs {
		d, p, err := b.oneByOne(ctx)
		if err != nil {
			return err
		}
		device, profile = append(device, d), append(profile, p)
	}
	for range b.runs {
		r, err := b.together(ctx)
		if err != nil {
			return err
		}
		both = append(both, r)
	}
	d, p, all := b.median(device), b.median(profile), b.median(both)
	b.maximum = all.rate
	b.ratios([]result{d, p, all}, []result{copied, parsed, rival})
	b.report.aim("CPU per event of both steps, of kstreams'", "<= 0.25", fmt.Sprintf("%.2f", all.cpu/rival.cpu), all.cpu <= rival.cpu/4)
	b.report.aim("events/s of the device step, of gocopy-fast's", ">= 0.50", fmt.Sprintf("%.2f", d.rate/parsed.rate), d.rate >= parsed.rate/2)
	return nil
}

// ratios prints how rows compare with those of the peers.
func (b *bench) ratios(ours, theirs []result) {
	var head []string
	for _, t := range theirs {
		head = append(head, "events/s of "+t.name+"'s")
	}
	for _, t := range theirs {
		head = append(head, "CPU per event of "+t.name+"'s")
	}
	table := b.report.table("Ratios", append([]string{"what"}, head...)...)
	for _, o := range ours {
		row := []string{o.name}
		for _, t := range theirs {
			row = append(row, fmt.Sprintf("%.2f", o.rate/t.rate))
		}
		for _, t := range theirs {
			row = append(row, fmt.Sprintf("%.2f", o.cpu/t.cpu))
		}
		table.add(row...)
	}
}

// median adds the row in the middle by time. A run that failed is shown, too.
func (b *bench) median(runs []result) result {
	for _, r := range runs {
		b.report.verdict(r.check)
	}
	slices.SortFunc(runs, func(a, b result) int { return cmp.Compare(b.rate, a.rate) })
	m := runs[len(runs)/2]
	if i := slices.IndexFunc(runs, func(r result) bool { return r.check != "ok" }); i >= 0 {
		m.check = runs[i].check
	}
	m.note += fmt.Sprintf(", median of %d runs (%.0f to %.0f events/s)", len(runs), runs[len(runs)-1].rate, runs[0].rate)
	b.report.add(m)
	return m
}

// sessionized sees to it that both steps have gone over the workload once in this run.
func (b *bench) sessionized(ctx context.Context) error {
	if b.maximum > 0 {
		return nil
	}
	r, err := b.together(ctx)
	if err != nil {
		return err
	}
	b.maximum = b.median([]result{r}).rate
	return nil
}

// prepare writes the workload for cairn and makes the derived topics anew.
func (b *bench) prepare(ctx context.Context) error {
	raw := stream.Qualify(namespace, stream.TopicRaw)
	begin := b.topics
	if b.generated[raw] {
		begin = b.afresh
	}
	if err := b.generate(ctx, raw); err != nil {
		return err
	}
	if err := begin(ctx, namespace); err != nil {
		return err
	}
	n, err := b.count(ctx, raw)
	if err == nil && n != b.events {
		err = fmt.Errorf("%s has %d records, want %d", raw, n, b.events)
	}
	return err
}

// oneByOne lets first the device step work off the workload, then the profile step
// what that has written.
func (b *bench) oneByOne(ctx context.Context) (device, profile result, err error) {
	if err := b.prepare(ctx); err != nil {
		return device, profile, err
	}
	device, err = b.steps(ctx, deviceStep, deviceStep, deviceStep, b.events)
	if err != nil {
		return device, profile, err
	}
	sessions, touchpoints, err := b.sessionRows(ctx, namespace)
	if err != nil {
		return device, profile, err
	}
	device.name = "cairn device step"
	device.check = failure(device.check, differs("sessions", sessions, b.sessions), differs("touchpoints in sessions", touchpoints, b.unique))
	records, err := b.count(ctx, stream.Qualify(namespace, stream.TopicTouchpoints))
	if err != nil {
		return device, profile, err
	}
	profile, err = b.steps(ctx, profileStep, profileStep, profileStep, records)
	if err != nil {
		return device, profile, err
	}
	journeys, touchpoints, err := b.journeyRows(ctx, namespace)
	profile.name = "cairn profile step"
	profile.check = failure(profile.check, differs("touchpoints in journeys", touchpoints, b.unique))
	profile.note = fmt.Sprintf("%d records of the device step, %d journeys", records, journeys)
	return device, profile, err
}

// together lets both steps work off the workload in one process.
func (b *bench) together(ctx context.Context) (result, error) {
	if err := b.prepare(ctx); err != nil {
		return result{}, err
	}
	r, err := b.steps(ctx, bothSteps, deviceStep, profileStep, b.events)
	if err != nil {
		return r, err
	}
	sessions, inSessions, err := b.sessionRows(ctx, namespace)
	if err != nil {
		return r, err
	}
	_, inJourneys, err := b.journeyRows(ctx, namespace)
	r.name = rowBoth
	r.check = failure(r.check, differs("sessions", sessions, b.sessions),
		differs("touchpoints in sessions", inSessions, b.unique), differs("touchpoints in journeys", inJourneys, b.unique))
	return r, err
}

// steps runs steps on an empty state until nothing is left to do, and measures from
// the first record of the step first to the last commit of the step last. events is
// what the figures are per; check is a list of problems yet.
func (b *bench) steps(ctx context.Context, which, first, last string, events int) (r result, err error) {
	say("steps %s", which)
	data := filepath.Join(b.dir, "sessionizer")
	if err := os.RemoveAll(data); err != nil {
		return r, err
	}
	p, err := b.start(ctx, "sessionizer", namespace, "--data", data, "--steps", which)
	if err != nil {
		return r, err
	}
	defer func() { _ = p.stop() }()
	least := b.unique
	if which == deviceStep {
		least = b.events
	}
	m, err := b.watch(ctx, p, first, last, least)
	if err != nil {
		return r, err
	}
	perM := func(d time.Duration) float64 { return d.Seconds() * 1e6 / float64(events) }
	r = result{
		rate: float64(events) / m.wall.Seconds(), cpu: perM(m.cpu), servers: perM(m.servers), rss: memoryOf(p.pid(), rssPeak),
		note: fmt.Sprintf("transactions of %s, state on disk", commitInterval),
	}
	if which != profileStep {
		page, err := p.metrics()
		if err != nil {
			return r, err
		}
		sum := 0
		for _, outcome := range []string{"touchpoint", "duplicate", "rejected", "late"} {
			sum += int(page.sum(metricOutcome + strconv.Quote(outcome)))
		}
		r.check = join(differs("records accepted", int(page.sum(metricAccepted)), b.events), differs("outcomes", sum, b.events),
			differs("touchpoints", int(page.sum(metricOutcome+`"touchpoint"`)), b.unique))
	}
	if err := p.stop(); err != nil {
		r.check = join(r.check, err.Error())
	}
	return r, nil
}

// measured is what a stretch of work took.
type measured struct{ wall, cpu, servers time.Duration }

// watch measures from the first record of one step to the last commit of another.
// The end is known once nothing has come for a while; it is not part of the time.
func (b *bench) watch(ctx context.Context, p *proc, first, last string, least int) (m measured, err error) {
	const every, still = 100 * time.Millisecond, 2 * time.Second
	servers := processCPU(b.kafka)
	var begin time.Time
	done, changed := 0.0, time.Now()
	for ctx.Err() == nil {
		time.Sleep(every)
		page, err := p.metrics()
		if err != nil {
			return m, p.complain(ctx, "the service is gone: "+err.Error())
		}
		now := time.Now()
		if begin.IsZero() && page.sum(stepRecords(first)) > 0 {
			// What is committed by now was begun so long ago.
			took := page.sum("cairn_step_transaction_duration_seconds_sum{step=" + strconv.Quote(first) + "}")
			begin = now.Add(-time.Duration(took * float64(time.Second)))
		}
		n := page.sum(stepRecords(last))
		if n != done {
			done, changed = n, now
			m = measured{now.Sub(begin), processCPU(p.pid()), processCPU(b.kafka) - servers}
		}
		switch quiet := now.Sub(changed); {
		case int(done) >= least && quiet > still:
			return m, nil
		case quiet > patience:
			return m, p.complain(ctx, fmt.Sprintf("step %s stands still at %.0f records, want %d", last, done, least))
		}
	}
	return m, ctx.Err()
}
