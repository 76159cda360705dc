package enrich

import (
	"regexp/syntax"
	"strings"
)

// needs are what is in every text that a regular expression matches: of each list
// one text at least. They are in lower case, for texts in lower case.
type needs [][]string

// in reports whether a line may match.
func (n needs) in(line *lowered) bool {
	for _, list := range n {
		if !anyIn(list, line.lower) {
			return false
		}
	}
	return true
}

func anyIn(list []string, line string) bool {
	for _, text := range list {
		if strings.Contains(line, text) {
			return true
		}
	}
	return false
}

// maxNeeds bounds the texts of a list. Looking for hundreds takes no longer than
// one expression that has as many alternatives.
const maxNeeds = 512

// needed is what an expression needs.
func needed(expr string) needs {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil
	}
	return needsOf(re.Simplify())
}

func needsOf(re *syntax.Regexp) needs {
	switch re.Op {
	case syntax.OpLiteral:
		return needs{{strings.ToLower(string(re.Rune))}}
	case syntax.OpCapture, syntax.OpPlus:
		return needsOf(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return needsOf(re.Sub[0])
		}
	case syntax.OpConcat:
		var all needs
		for _, sub := range re.Sub {
			all = append(all, needsOf(sub)...)
		}
		return all
	case syntax.OpAlternate:
		var either []string
		for _, sub := range re.Sub {
			best := needsOf(sub).best()
			if best == nil {
				return nil // this way nothing is needed
			}
			either = append(either, best...)
		}
		if len(either) <= maxNeeds {
			return needs{either}
		}
	default:
	}
	return nil
}

// best is the list that tells most: its shortest text is the longest.
func (n needs) best() []string {
	var best []string
	longest := 0
	for _, list := range n {
		shortest := len(list[0])
		for _, text := range list {
			shortest = min(shortest, len(text))
		}
		if shortest > longest {
			best, longest = list, shortest
		}
	}
	return best
}
