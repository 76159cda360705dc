package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/stream"
)

// footing is what so many profiles in the state cost.
type footing struct {
	profiles int
	rate     float64 // profiles per second, while they were new
	settled  int     // MiB resident, once all is done
	peak     int     // MiB resident at most

	diskDevice, diskProfile int64 // bytes of the state's folders after a clean stop
	logDevice, logProfile   int64 // bytes of the changelogs on the broker's disk

	warm, cold comeback
	check      string
}

// comeback is a start with state.
type comeback struct {
	took time.Duration // from the start of the process until it is ready
	rows int           // read from the changelogs
	peak int           // MiB resident until it is ready
}

// memory measures a small and a large state. Nothing else is in the process: each
// profile is one visitor with one event.
func (b *bench) memory(ctx context.Context) error {
	var list []footing
	for _, n := range []int{b.few, b.many} {
		if n == 0 {
			continue
		}
		f, err := b.state(ctx, n)
		if err != nil {
			return fmt.Errorf("%d profiles: %w", n, err)
		}
		f.check = b.report.verdict(failure(f.check))
		list = append(list, f)
	}
	b.footings(list)
	if len(list) < 2 {
		return nil
	}
	growth := func(few, many int) float64 { return (float64(many)/float64(few) - 1) * 100 }
	settled, peak := growth(list[0].settled, list[1].settled), growth(list[0].peak, list[1].peak)
	b.report.aim(fmt.Sprintf("resident memory with %d profiles, above that with %d", list[1].profiles, list[0].profiles),
		"< 30 %", fmt.Sprintf("%+.0f %% (peak %+.0f %%)", settled, peak), settled < 30)
	return nil
}

func (b *bench) footings(list []footing) {
	t := b.report.table("State, both steps", "profiles", "profiles/s", "RSS MB, settled", "RSS MB, peak",
		"disk bytes per profile (device + profile)", "changelog bytes per profile (device + profile)", "check")
	r := b.report.table("Restore, both steps: from the start of the process until it is ready", "profiles", "how", "s",
		"changelog rows read", "s per million rows of the changelogs", "RSS MB, peak")
	for _, f := range list {
		per := func(device, profile int64) string {
			n := int64(f.profiles)
			return fmt.Sprintf("%d (%d + %d)", (device+profile)/n, device/n, profile/n)
		}
		t.add(strconv.Itoa(f.profiles), fmt.Sprintf("%.0f", f.rate), strconv.Itoa(f.settled), strconv.Itoa(f.peak),
			per(f.diskDevice, f.diskProfile), per(f.logDevice, f.logProfile), f.check)
		r.add(strconv.Itoa(f.profiles), "cold: folder removed", fmt.Sprintf("%.1f", f.cold.took.Seconds()), strconv.Itoa(f.cold.rows),
			perMillion(f.cold.took, f.cold.rows), strconv.Itoa(f.cold.peak))
		r.add(strconv.Itoa(f.profiles), "warm: folder kept", fmt.Sprintf("%.1f", f.warm.took.Seconds()), strconv.Itoa(f.warm.rows),
			perMillion(f.warm.took, f.cold.rows), strconv.Itoa(f.warm.peak))
	}
}

func perMillion(d time.Duration, rows int) string {
	return fmt.Sprintf("%.2f", d.Seconds()*1e6/float64(max(rows, 1)))
}

// state fills a state with so many profiles, measures it, and starts with it again.
func (b *bench) state(ctx context.Context, n int) (f footing, err error) {
	say("state with %d profiles", n)
	f = footing{profiles: n}
	ns := namespace + "state" + strconv.Itoa(n)
	if err := b.topics(ctx, ns); err != nil {
		return f, err
	}
	// An hour of visits that is over, so that all sessions are, too.
	begin := time.Now().Add(-3 * time.Hour).UnixMilli()
	at := func(i int) int64 { return begin + int64(i)*time.Hour.Milliseconds()/int64(n) }
	err = b.send(ctx, ns, func(topic string, produce func(*kgo.Record)) {
		for i := range n {
			produce(pageView(topic, i, 0, at(i)))
		}
	})
	if err != nil {
		return f, err
	}
	data := filepath.Join(b.dir, ns)
	defer func() { _ = os.RemoveAll(data) }()
	if err := b.fillState(ctx, ns, data, &f); err != nil {
		return f, err
	}
	size := func(step string) int64 { return folderBytes(filepath.Join(data, "state", step)) }
	f.diskDevice, f.diskProfile = size(deviceStep), size(profileStep)
	var errs [2]error
	f.logDevice, errs[0] = b.logBytes(ctx, stream.Qualify(ns, stream.TopicDeviceChangelog))
	f.logProfile, errs[1] = b.logBytes(ctx, stream.Qualify(ns, stream.TopicProfileChangelog))
	if err := errors.Join(errs[:]...); err != nil {
		return f, err
	}
	var problem string
	if f.warm, problem, err = b.comeBack(ctx, ns, data, n, 1, at); err != nil {
		return f, fmt.Errorf("warm start: %w", err)
	}
	f.check = join(f.check, problem)
	if err := os.RemoveAll(filepath.Join(data, "state")); err != nil {
		return f, err
	}
	if f.cold, problem, err = b.comeBack(ctx, ns, data, n, 2, at); err != nil {
		return f, fmt.Errorf("cold start: %w", err)
	}
	f.check = join(f.check, problem, differs("of the state's folders are empty", f.empty(), 0), few("changelog rows", f.cold.rows, 4*n))
	return f, nil
}

// empty is how many of the state's folders hold nothing.
func (f *footing) empty() (n int) {
	for _, size := range []int64{f.diskDevice, f.diskProfile, f.logDevice, f.logProfile} {
		if size == 0 {
			n++
		}
	}
	return n
}

// few is a problem if a count is smaller than it can be.
func few(what string, got, least int) string {
	if got >= least {
		return ""
	}
	return fmt.Sprintf("%d %s, want %d at least", got, what, least)
}

// fillState works off the visits and stops cleanly.
func (b *bench) fillState(ctx context.Context, ns, data string, f *footing) error {
	const settling = 15 * time.Second // until the garbage collector has given back what it does
	p, err := b.start(ctx, "sessionizer", ns, "--data", data)
	if err != nil {
		return err
	}
	defer func() { _ = p.stop() }()
	m, err := b.watch(ctx, p, deviceStep, profileStep, f.profiles)
	if err != nil {
		return err
	}
	f.rate = float64(f.profiles) / m.wall.Seconds()
	// All sessions are closed, too.
	if err := p.settle(ctx, 1, 3*time.Second, metricCommits); err != nil {
		return err
	}
	sleep(ctx, settling)
	f.settled, f.peak = memoryOf(p.pid(), rssNow), memoryOf(p.pid(), rssPeak)
	page, err := p.metrics()
	if err != nil {
		return err
	}
	f.check = join(differs("records accepted", int(page.sum(metricAccepted)), f.profiles),
		differs("touchpoints", int(page.sum(metricOutcome+`"touchpoint"`)), f.profiles),
		differs("transitions", int(page.sum(metricTransitions)), f.profiles),
		differs("sessions still open", int(page.sum("cairn_sessionizer_open_sessions")), 0))
	return p.stop()
}

// comeBack starts with state, or with what the changelogs have of it, and tries it:
// a message that came before must be a duplicate, and a second view must not bring a
// visitor to the first stage again.
func (b *bench) comeBack(ctx context.Context, ns, data string, profiles, message int, at func(int) int64) (c comeback, problem string, err error) {
	began := time.Now()
	p, err := b.start(ctx, "sessionizer", ns, "--data", data)
	if err != nil {
		return c, "", err
	}
	defer func() { _ = p.stop() }()
	if err := p.await(ctx, "/readyz", 5*time.Millisecond); err != nil {
		return c, "", err
	}
	c.took, c.peak = time.Since(began), memoryOf(p.pid(), rssPeak)
	c.rows = p.metric(metricRestored)
	tried := min(1000, profiles)
	every := profiles / tried
	err = b.send(ctx, ns, func(topic string, produce func(*kgo.Record)) {
		for i := 0; i < tried*every; i += every {
			produce(pageView(topic, i, 0, at(i)))
			produce(pageView(topic, i, message, at(i)+time.Minute.Milliseconds()*int64(message)))
		}
	})
	if err != nil {
		return c, "", err
	}
	if err := p.settle(ctx, tried, 2*time.Second, stepRecords(profileStep), stepRecords(deviceStep)); err != nil {
		return c, "", err
	}
	page, err := p.metrics()
	if err != nil {
		return c, "", err
	}
	problem = join(differs("records read after a restart", int(page.sum(stepRecords(deviceStep))), 2*tried),
		differs("duplicates after a restart", int(page.sum(metricOutcome+`"duplicate"`)), tried),
		differs("touchpoints after a restart", int(page.sum(metricOutcome+`"touchpoint"`)), tried),
		differs("transitions after a restart", int(page.sum(metricTransitions)), 0))
	return c, problem, p.stop()
}

// folderBytes is the size of the files below a folder.
func folderBytes(dir string) (sum int64) {
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			if info, err := e.Info(); err == nil {
				sum += info.Size()
			}
		}
		return nil
	})
	return sum
}

// sleep waits, but not beyond the end of ctx.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
