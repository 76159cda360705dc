package journeytest

import (
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/journey"
)

// forgetful is an engine with the commonest faults: naive about what.
type forgetful struct {
	*batchEngine
	fault string
}

func (f forgetful) Apply(t journey.Touchpoint) {
	last := len(f.log) - 1
	switch {
	case f.fault == "drops what comes out of order" && last >= 0 && t.Time < f.log[last].Time:
	case f.fault == "counts copies" && last >= 0:
		t.MessageID += strings.Repeat("'", len(f.log))
		f.batchEngine.Apply(t)
	case f.fault == "sets the clock by arrival" && last >= 0:
		t.Time = max(t.Time, f.log[last].Time)
		f.batchEngine.Apply(t)
	default:
		f.batchEngine.Apply(t)
	}
}

// A shuffle that no engine can fail proves nothing.
func TestShuffleFindsFaults(t *testing.T) {
	for _, fault := range []string{"", "drops what comes out of order", "counts copies", "sets the clock by arrival"} {
		s := &scenario{newEngine: func(m *journey.Model) Engine {
			return forgetful{batchEngine: &batchEngine{m: m}, fault: fault}
		}}
		run := func(line, input string) string {
			cmd, args, err := datadriven.ParseLine(line)
			require.NoError(t, err)
			return s.directive(t, &datadriven.TestData{Cmd: cmd, CmdArgs: args, Input: input})
		}
		run("model shop", "")
		run("events", "d1 10:00 web anna page /\nd1 10:20 web anna cart_viewed\nd1 10:45 web anna order_completed")
		answer := run("shuffle n=20", "")
		if fault == "" {
			require.Equal(t, "20 orders, the same answer", answer)
			continue
		}
		require.Contains(t, answer, "differs", fault)
	}
}

// Where two copies of a message disagree a free shuffle must find that order
// matters, and one that keeps the first must not.
func TestShuffleKeepsTheFirst(t *testing.T) {
	s := &scenario{newEngine: BatchEngine}
	run := func(line, input string) string {
		cmd, args, err := datadriven.ParseLine(line)
		require.NoError(t, err)
		return s.directive(t, &datadriven.TestData{Cmd: cmd, CmdArgs: args, Input: input})
	}
	run("model shop", "")
	require.Equal(t, "3 touchpoints, 1 rejected", run("events", "d1 10:00 web a page id=x\nd1 11:00 web a page id=x\nd1 10:00 web b page\nd1 10:00 web null page"))
	require.Contains(t, run("shuffle n=50", ""), "differs")
	require.Equal(t, "50 orders, the same answer", run("shuffle n=50 keep-first", ""))
}

func TestScenarioModels(t *testing.T) {
	for line, want := range map[string]string{
		"model":                      "name a built-in model",
		"model shp":                  "did you mean",
		"model shop gap=30m":         "unknown argument",
		"model shop session-gap=30":  "no unit",
		"model shop goal=nirvana":    "no stage",
		"model shop user-limit=many": "invalid syntax",
		"model b2b":                  "b2b",
	} {
		cmd, args, err := datadriven.ParseLine(line)
		require.NoError(t, err)
		s := &scenario{newEngine: BatchEngine}
		require.Contains(t, s.directive(t, &datadriven.TestData{Cmd: cmd, CmdArgs: args}), want, line)
	}
}
