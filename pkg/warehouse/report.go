package warehouse

import (
	"fmt"
	"strings"
)

// Report is what Verify found.
type Report struct {
	Checks []Check `json:"checks"`
	// NotFolded says why stages were not folded again, though a model was given.
	NotFolded string `json:"not_folded,omitempty"`
}

// Check compares what should be there with what is.
type Check struct {
	Name        string   `json:"name"`
	Expected    uint64   `json:"expected"` // things that should be there
	Found       uint64   `json:"found"`    // things that are
	Differences uint64   `json:"differences"`
	Examples    []string `json:"examples,omitempty"` // the first few, a sentence each
}

// Differences is the number of all differences.
func (r Report) Differences() uint64 {
	var n uint64
	for _, c := range r.Checks {
		n += c.Differences
	}
	return n
}

// String is the report for people. Its last line is "verify: N differences".
func (r Report) String() string {
	var b strings.Builder
	for _, c := range r.Checks {
		fmt.Fprintf(&b, "%-34s %10d expected %10d found %8d differences\n", c.Name, c.Expected, c.Found, c.Differences)
		for _, e := range c.Examples {
			fmt.Fprintf(&b, "  %s\n", e)
		}
		if more := c.Differences - uint64(len(c.Examples)); more > 0 {
			fmt.Fprintf(&b, "  and %d more\n", more)
		}
	}
	if r.NotFolded != "" {
		fmt.Fprintf(&b, "stages of journeys: not folded again: %s\n", r.NotFolded)
	}
	word := "differences"
	if r.Differences() == 1 {
		word = "difference"
	}
	fmt.Fprintf(&b, "verify: %d %s", r.Differences(), word)
	return b.String()
}
