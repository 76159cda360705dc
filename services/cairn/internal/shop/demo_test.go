package shop_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/local"
	"github.com/cairnhq/cairn/pkg/testbed"
	"github.com/cairnhq/cairn/services/cairn/internal/shop"
)

func TestMain(m *testing.M) { testbed.Main(m) }

// demoBound is how long one demo may take on a busy machine.
const demoBound = 2 * time.Minute

// demo is the command cairn demo with a temporary folder of its own.
func demo(t *testing.T, args ...string) (cmd *exec.Cmd, out, complaints *bytes.Buffer, temp string) {
	t.Helper()
	if _, err := local.EngineLibrary(); err != nil {
		testbed.Require(t, "the ClickHouse engine is not installed: "+err.Error())
	}
	temp = t.TempDir()
	cmd = exec.CommandContext(t.Context(), testbed.Binary(t), append([]string{"demo"}, args...)...)
	cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), "TMPDIR="+temp)
	out, complaints = new(bytes.Buffer), new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = out, complaints
	return cmd, out, complaints, temp
}

// result is what the test reads of the demo's JSON.
type result struct {
	Seed                                                     uint64
	Customers                                                int
	From, Fixed, To                                          time.Time
	EventsSent                                               int `json:"events_sent"`
	Acknowledged, Touchpoints, Duplicates, Rejected          int
	Late, Sessions, Journeys, Transitions, Requests, Retries int
	RejectedReasons                                          map[string]int `json:"rejected_reasons"`
	SourceTouchpoints                                        map[string]int `json:"source_touchpoints"`
	JourneyStatus                                            map[string]int `json:"journey_status"`
	TransitionsByStage                                       []struct {
		From, To string
		Count    int
	} `json:"transitions_by_stage"`
	Checkouts struct {
		Before, After struct{ Started, Ordered int }
	}
	Conversion struct {
		Stage         string
		Before, After struct{ Conversion float64 }
	}
	Map struct {
		Totals struct {
			Touchpoints int
			Robots      int `json:"robot_touchpoints"`
		}
		Stages []struct {
			Stage    string
			Profiles int
		}
		Channels []struct{ Channel string }
	}
	Verify struct {
		Differences int
		Checks      []struct{ Expected, Found int }
	}
}

func TestTheDemoCountsWhatTheShopSent(t *testing.T) {
	cmd, out, complaints, temp := demo(t, "--customers", "400", "--seed", "11", "--output", "json")
	require.NoError(t, cmd.Run(), complaints.String())
	require.Empty(t, complaints.String(), "nothing to complain about")
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left, "the temporary folder is removed")

	var r result
	require.NoError(t, json.Unmarshal(out.Bytes(), &r))
	require.Equal(t, 1, bytes.Count(out.Bytes(), []byte("\n")), "one object, one line")
	w, err := shop.Generate(shop.Options{Seed: 11, Customers: 400, End: r.To})
	require.NoError(t, err)
	want := recount(t, w)
	require.Equal(t, len(w.Sends), r.EventsSent)
	require.Equal(t, len(w.Sends), r.Acknowledged)
	require.Zero(t, r.Retries)
	require.Equal(t, want.touchpoints, r.Touchpoints)
	require.Equal(t, want.duplicates, r.Duplicates)
	require.Equal(t, want.rejected, r.RejectedReasons)
	require.Equal(t, want.late, r.Late)
	require.Equal(t, r.Acknowledged, r.Touchpoints+r.Duplicates+r.Rejected+r.Late)
	require.Equal(t, want.bySource, r.SourceTouchpoints)
	require.Equal(t, want.robots, r.Map.Totals.Robots)
	require.Equal(t, want.touchpoints-want.robots, r.Map.Totals.Touchpoints)
	require.Equal(t, want.sessions, r.Sessions)
	require.Equal(t, want.started, [2]int{r.Checkouts.Before.Started, r.Checkouts.After.Started})
	require.Equal(t, want.ordered, [2]int{r.Checkouts.Before.Ordered, r.Checkouts.After.Ordered})
	checkJourneys(t, &r)
}

// checkJourneys checks what must hold of journeys however they are counted.
func checkJourneys(t *testing.T, r *result) {
	t.Helper()
	require.Zero(t, r.Verify.Differences)
	require.NotEmpty(t, r.Verify.Checks)
	for _, c := range r.Verify.Checks {
		require.Positive(t, c.Expected)
		require.Equal(t, c.Expected, c.Found)
	}
	journeys, transitions, begun := 0, 0, 0
	for _, n := range r.JourneyStatus {
		journeys += n
	}
	for _, s := range r.TransitionsByStage {
		transitions += s.Count
		if s.From == "" {
			begun += s.Count
		}
	}
	require.Equal(t, journeys, r.Journeys)
	require.Equal(t, transitions, r.Transitions)
	require.Positive(t, begun)
	require.LessOrEqual(t, begun, journeys, "a journey begins once")
	require.Equal(t, "decision", r.Conversion.Stage)
	require.Greater(t, r.Conversion.After.Conversion, r.Conversion.Before.Conversion+0.1, "the map shows the recovery")
	var channels []string
	for _, c := range r.Map.Channels {
		channels = append(channels, c.Channel)
	}
	require.ElementsMatch(t, []string{"web", "email", "store", "support"}, channels)
}

// counted is what the events say of themselves.
type counted struct {
	touchpoints, duplicates, late, sessions, robots int
	rejected, bySource                              map[string]int
	started, ordered                                [2]int // sessions with a checkout, before and after the fix
}

// recount reads the events' JSON, with none of cairn's code.
func recount(t *testing.T, w *shop.Week) counted {
	t.Helper()
	type event struct {
		MessageID, Event, AnonymousID, UserID, Actor string
		Timestamp                                    time.Time
		Context                                      struct{ UserAgent string }
	}
	c := counted{rejected: map[string]int{}, bySource: map[string]int{}}
	seen := map[string]bool{}
	visits := map[string][]event{}
	for i := range w.Sends {
		raw, err := w.Sends[i].Event.JSON()
		require.NoError(t, err)
		var e event
		require.NoError(t, json.Unmarshal(raw, &e))
		who := "user " + e.UserID
		if id := e.AnonymousID; id != "" && id != "undefined" && id != "null" {
			who = "browser " + id
		}
		switch {
		case who == "user ":
			c.rejected["no_identifier"]++
			continue
		case e.Actor != "" && e.Actor != "business":
			c.rejected["bad_actor"]++
			continue
		case seen[who+" "+e.MessageID]:
			c.duplicates++
			continue
		}
		seen[who+" "+e.MessageID] = true
		if w.End.Sub(e.Timestamp) > 30*24*time.Hour {
			c.late++
			continue
		}
		c.touchpoints++
		c.bySource[w.Sends[i].Source]++
		if agent := e.Context.UserAgent; strings.Contains(strings.ToLower(agent), "bot/") || strings.Contains(agent, "Headless") {
			c.robots++
		}
		if e.Actor == "" {
			visits[who] = append(visits[who], e)
		}
	}
	for _, list := range visits {
		slices.SortFunc(list, func(a, b event) int { return a.Timestamp.Compare(b.Timestamp) })
		for from := 0; from < len(list); {
			to := from + 1
			for to < len(list) && list[to].Timestamp.Sub(list[to-1].Timestamp) <= 30*time.Minute {
				to++
			}
			c.sessions++
			began := slices.IndexFunc(list[from:to], func(e event) bool { return e.Event == "checkout_started" })
			if began >= 0 {
				half := 0
				if !list[from+began].Timestamp.Before(w.Fixed) {
					half = 1
				}
				c.started[half]++
				if slices.ContainsFunc(list[from:to], func(e event) bool { return e.Event == "order_completed" }) {
					c.ordered[half]++
				}
			}
			from = to
		}
	}
	return c
}

func TestTheDemoReadsWellOnATerminal(t *testing.T) {
	cmd, out, complaints, _ := demo(t, "--customers", "120")
	require.NoError(t, cmd.Run(), complaints.String())
	require.Empty(t, complaints.String())
	text := out.String()
	for line := range strings.SplitSeq(text, "\n") {
		require.LessOrEqual(t, utf8.RuneCountInString(line), 100, line)
	}
	for _, what := range []string{
		"\nevents sent ", "\nacknowledged ", "\n  touchpoints ", "\nsessions ", "\njourneys ", "\ntransitions ",
		"\nProfiles ", "\nConversion ", "\nWeb ", "\nEmail ", "\nStore ", "\nSupport ", "decision by day of entry",
		" went on while the checkout failed", "\nverify: 0 differences\n", "make up",
	} {
		require.Contains(t, text, what)
	}
}

func TestTheDemoStopsWhenTold(t *testing.T) {
	cmd, out, complaints, temp := demo(t)
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	require.Eventually(t, func() bool {
		folders, err := filepath.Glob(filepath.Join(temp, "cairn-demo-*", "clickhouse"))
		return err == nil && len(folders) == 1
	}, demoBound, 5*time.Millisecond)
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	select {
	case err := <-ended:
		require.Error(t, err, "it ends with 1")
	case <-time.After(demoBound):
		require.NoError(t, cmd.Process.Kill())
		t.Fatal("the demo does not stop")
	}
	require.Equal(t, 1, cmd.ProcessState.ExitCode(), fmt.Sprint(out, complaints))
	require.Empty(t, out.String())
	require.Equal(t, "cairn: stopped before the demo was done\n", complaints.String())
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestTheDemoKeepsItsFolder(t *testing.T) {
	folder := t.TempDir()
	full := filepath.Join(folder, "full")
	require.NoError(t, os.MkdirAll(full, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(full, "diary.txt"), []byte("mine"), 0o600))
	cmd, _, complaints, _ := demo(t, "--keep", full)
	require.Error(t, cmd.Run())
	require.Equal(t, 2, cmd.ProcessState.ExitCode())
	require.Contains(t, complaints.String(), "is not empty")

	kept := filepath.Join(folder, "kept")
	cmd, out, complaints, _ := demo(t, "--keep", kept, "--customers", "20")
	require.NoError(t, cmd.Run(), complaints.String())
	require.Contains(t, out.String(), "cairn up --data "+kept)
	require.DirExists(t, filepath.Join(kept, "clickhouse"))
}
