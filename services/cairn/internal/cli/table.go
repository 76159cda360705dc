package cli

import (
	"fmt"
	"io"
	"os"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/schollz/progressbar/v3"

	"github.com/cairnhq/cairn/pkg/telemetry"
)

// textTable prints columns for people: numbers to the right, no frame.
type textTable struct {
	w    table.Writer
	rows int
}

func newTable(columns ...string) *textTable {
	t := &textTable{w: table.NewWriter()}
	header := make(table.Row, len(columns))
	configs := make([]table.ColumnConfig, len(columns))
	for i, c := range columns {
		header[i] = c
		configs[i] = table.ColumnConfig{Number: i + 1, AlignHeader: text.AlignAuto}
	}
	t.w.AppendHeader(header)
	t.w.SetStyle(plainStyle())
	return t
}

func plainStyle() table.Style {
	s := table.StyleDefault
	s.Options = table.OptionsNoBordersAndSeparators
	s.Box.PaddingLeft, s.Box.PaddingRight = "", "  "
	s.Format.Header = text.FormatUpper
	return s
}

func (t *textTable) row(cells ...any) {
	t.rows++
	t.w.AppendRow(cells)
}

func (t *textTable) write(w io.Writer) error {
	_, err := fmt.Fprintln(w, t.w.Render())
	return err
}

// bar is a progress bar on a terminal and nothing elsewhere. Lines written to
// it go above the bar.
type bar struct {
	out io.Writer
	pb  *progressbar.ProgressBar // nil: no terminal
}

// newBar measures the files; of standard input the size is unknown.
func newBar(w io.Writer, files []string) *bar {
	b := &bar{out: w}
	if !telemetry.IsTerminal(w) {
		return b
	}
	total := int64(0)
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			total = -1
			break
		}
		total += info.Size()
	}
	b.pb = progressbar.NewOptions64(total, progressbar.OptionSetWriter(w), progressbar.OptionShowBytes(true),
		progressbar.OptionSetDescription("importing"), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100e6))
	return b
}

// Progress adds n bytes.
func (b *bar) Progress(n int) {
	if b.pb != nil {
		_ = b.pb.Add(n) // past the end if a file grows: harmless
	}
}

func (b *bar) Write(p []byte) (int, error) {
	if b.pb != nil {
		_ = b.pb.Clear()
	}
	return b.out.Write(p)
}

// Finish removes the bar.
func (b *bar) Finish() {
	if b.pb != nil {
		_ = b.pb.Finish()
	}
}
