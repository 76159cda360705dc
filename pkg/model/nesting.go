package model

import "bytes"

// maxNesting is how deep lists and mappings may lie in each other. A model needs
// six levels; the parser's memory grows with the square of the depth.
const maxNesting = 100

// nestedTooDeep returns the first line that opens more than maxNesting levels,
// or 0. It does not know quotes, so it counts a bracket inside one as well; and
// it may, as nobody writes a hundred of them.
func nestedTooDeep(data []byte) int {
	depth, number := 0, 0
	for line := range bytes.Lines(data) {
		number++
		if comment := bytes.Index(line, []byte(" #")); comment >= 0 {
			line = line[:comment]
		} else if bytes.HasPrefix(line, []byte("#")) {
			continue
		}
		markers := 0 // "- - -" and "? ? ?" nest without a bracket
		for i, c := range line {
			switch c {
			case '[', '{':
				depth++
			case ']', '}':
				depth = max(0, depth-1)
			case ' ', '\t', '\n':
				if i > 0 && (line[i-1] == '-' || line[i-1] == '?' || line[i-1] == ':') {
					markers++
				}
			}
			if depth > maxNesting {
				return number
			}
		}
		if markers > maxNesting+bytes.Count(line, []byte(","))+bytes.Count(line, []byte("{")) {
			return number
		}
	}
	return 0
}
