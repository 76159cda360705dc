package model

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Error is one mistake in a model file and where it stands. Lines and columns
// count from 1; line 0 means the file as a whole.
type Error struct {
	File         string
	Line, Column int
	Message      string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

// maxErrors is how many mistakes are printed; a file of the wrong kind has
// hundreds.
const maxErrors = 20

// Errors are the mistakes of one file, in its order.
type Errors []*Error

func (e Errors) Error() string {
	lines := make([]string, 0, len(e))
	for _, err := range e[:min(len(e), maxErrors)] {
		lines = append(lines, err.Error())
	}
	if more := len(e) - maxErrors; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives errors.As access to each.
func (e Errors) Unwrap() []error {
	all := make([]error, 0, len(e))
	for _, err := range e {
		all = append(all, err)
	}
	return all
}

func (e Errors) sort() Errors {
	slices.SortStableFunc(e, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return e
}

// didYouMean is `; did you mean "x"?` with the nearest of the known words, or
// "" when none is near.
func didYouMean(word string, known []string) string {
	best, distance := "", len(word)/2+1
	for _, k := range known {
		if d := editDistance(strings.ToLower(word), k); d < distance {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// editDistance counts insertions, deletions, replacements and swaps of
// neighbours. Words longer than 64 are not compared.
func editDistance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	var d [65][65]int
	for i := range len(a) + 1 {
		for j := range len(b) + 1 {
			switch {
			case i == 0 || j == 0:
				d[i][j] = i + j
				continue
			case a[i-1] == b[j-1]:
				d[i][j] = d[i-1][j-1]
				continue
			}
			d[i][j] = 1 + min(d[i-1][j], d[i][j-1], d[i-1][j-1])
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
