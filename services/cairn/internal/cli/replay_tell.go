package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/services/cairn/internal/replay"
)

// replayTeller says what a replay is about to do and how far it is, a line now and
// then. Nothing it says is worth stopping for, so its writes may fail.
type replayTeller struct {
	out  io.Writer
	run  bool
	line string // said last
	last time.Time
}

// tellReplayEvery is how often progress is told.
const tellReplayEvery = 2 * time.Second

func (t *replayTeller) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(t.out, format+"\n", args...)
}

// plan says what is to be done.
func (t *replayTeller) plan(r *replay.Replay) {
	e := &r.Epoch
	if r.Resumed {
		t.printf("going on with the replay to epoch %d under the model %s, from %s, begun at %s", e.Epoch, e.Model, fromText(e.FromMillis),
			time.UnixMilli(e.BeganMillis).UTC().Format(time.RFC3339))
	} else {
		t.printf("replay to epoch %d under the model %s of what arrived from %s on; what is older stays as it is", e.Epoch, e.Model, fromText(e.FromMillis))
	}
	if g := r.GivesUp; g != nil {
		t.printf("the replay to epoch %d under the model %s, which was not completed, is given up", g.Epoch, g.Model)
	}
}

// progress says how far it is.
func (t *replayTeller) progress(p replay.Progress) {
	if p.Left > 0 && time.Since(t.last) < tellReplayEvery {
		return
	}
	line := t.describe(p)
	if line == t.line {
		return
	}
	t.line, t.last = line, time.Now()
	t.printf("%s", line)
}

func (t *replayTeller) describe(p replay.Progress) string {
	switch {
	case !p.Members && p.Left > 0 && p.Group == stream.GroupSink:
		return "waiting for a sink: start `cairn sink`"
	case !p.Members && p.Left > 0 && t.run:
		return "the sessionizer is starting"
	case !p.Members && p.Left > 0:
		return "now start the sessionizers with the new model; this command waits for them and ends the replay"
	}
	line := fmt.Sprintf("%-8s %3.0f %%  %d records left", p.Group, p.Percent(), p.Left)
	if p.PerSecond > 0 && p.Left > 0 {
		line += fmt.Sprintf(", %.0f/s, %s to go", p.PerSecond, (time.Duration(float64(p.Left)/p.PerSecond) * time.Second).Round(time.Second))
	}
	return line
}

// end is called when nothing more is waited for.
func (t *replayTeller) end() { t.line = "" }
