package importer

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cairnhq/cairn/pkg/lines"
)

// accessLine is a line of an access log in the common or combined format of
// Apache and nginx.
type accessLine struct {
	Host      string // address, or a name if the server resolves names
	At        time.Time
	Method    string // empty if the request line is no HTTP
	Target    string // path and query as requested
	Protocol  string
	Request   string // the whole request line
	Status    int
	Bytes     int64  // -1: not said
	Referrer  string // empty: none
	UserAgent string // empty: none, or the common format
	Extra     string // what a server appends to the combined format
}

// lineError says what is wrong with a line, and where.
type lineError = lines.Error

const accessTime = "02/Jan/2006:15:04:05 -0700"

// scanner walks a line.
type scanner struct {
	line []byte
	at   int
}

func (s *scanner) fail(at int, format string, args ...any) error {
	return &lineError{Column: at + 1, Reason: fmt.Sprintf(format, args...)}
}

func (s *scanner) rest() []byte { return s.line[s.at:] }

// parseAccessLine reads host ident user [time] "request" status bytes, and, in
// the combined format, "referrer" "user agent". Errors are *lineError.
func parseAccessLine(line []byte) (*accessLine, error) {
	s := &scanner{line: line}
	var a accessLine
	var err error
	if a.Host, err = s.host(); err != nil {
		return nil, err
	}
	if a.At, err = s.time(); err != nil {
		return nil, err
	}
	if a.Request, err = s.quoted("the request"); err != nil {
		return nil, err
	}
	a.splitRequest()
	if a.Status, a.Bytes, err = s.numbers(); err != nil {
		return nil, err
	}
	if len(s.rest()) == 0 {
		return &a, nil // common format
	}
	if a.Referrer, err = s.quoted("the referrer"); err != nil {
		return nil, err
	}
	if a.UserAgent, err = s.quoted(userAgent); err != nil {
		return nil, err
	}
	a.Referrer, a.UserAgent = dash(a.Referrer), dash(a.UserAgent)
	a.Extra = strings.TrimSpace(string(s.rest()))
	return &a, nil
}

// dash is the log's way to write nothing.
func dash(s string) string {
	if s == "-" {
		return ""
	}
	return s
}

// host reads the client's address. Apache's vhost_combined puts the server's
// name:port before it.
func (s *scanner) host() (string, error) {
	word := s.word()
	if word == "" {
		return "", s.fail(0, "want the client's address at the start of an access log line")
	}
	// host ident user [time]: four words before the bracket if a server is named first.
	before, _, found := bytes.Cut(s.rest(), []byte(" ["))
	if found && strings.Contains(word, ":") && len(bytes.Fields(before)) >= 3 && !strings.Contains(word, "::") && strings.Count(word, ":") == 1 {
		word = s.word()
	}
	return word, nil
}

// word reads up to the next space and passes it.
func (s *scanner) word() string {
	rest := s.rest()
	n := bytes.IndexByte(rest, ' ')
	if n < 0 {
		s.at = len(s.line)
		return string(rest)
	}
	s.at += n + 1
	return string(rest[:n])
}

// time reads the bracketed time; what stands before it are ident and user, and
// a user's name may hold spaces.
func (s *scanner) time() (time.Time, error) {
	open := bytes.IndexByte(s.rest(), '[')
	if open < 0 {
		return time.Time{}, s.fail(s.at, "want a time in brackets, as in [17/May/2015:10:05:03 +0000]")
	}
	s.at += open + 1
	end := bytes.IndexByte(s.rest(), ']')
	if end < 0 {
		return time.Time{}, s.fail(s.at-1, "the bracket of the time is not closed")
	}
	text := string(s.rest()[:end])
	at, err := time.Parse(accessTime, text)
	if err != nil {
		return time.Time{}, s.fail(s.at, "%q is not a time like 17/May/2015:10:05:03 +0000", clip(text))
	}
	s.at += end + 1
	s.space()
	return at, nil
}

func (s *scanner) space() {
	for s.at < len(s.line) && (s.line[s.at] == ' ' || s.line[s.at] == '\t') {
		s.at++
	}
}

// userAgent is the last of the quoted fields, as errors call it.
const userAgent = "the user agent"

// quoted reads a quoted text and undoes the server's escapes: \" and \\, and
// \xhh for bytes. The user agent stands last, so one whose quote is not closed
// was cut off by a limit on the line: what is there of it counts.
func (s *scanner) quoted(what string) (string, error) {
	start := s.at
	if start >= len(s.line) || s.line[start] != '"' {
		return "", s.fail(start, "want %s in double quotes", what)
	}
	var out []byte
	for i := start + 1; i < len(s.line); i++ {
		switch c := s.line[i]; c {
		case '"':
			s.at = i + 1
			s.space()
			return string(out), nil
		case '\\':
			b, n := unescape(s.line[i:])
			out = append(out, b)
			i += n - 1
		default:
			out = append(out, c)
		}
	}
	if what == userAgent {
		s.at = len(s.line)
		return string(out), nil
	}
	return "", s.fail(start, "the double quote of %s is not closed", what)
}

// unescape reads an escape at the start of b: the byte it stands for and its
// length. A backslash that begins no escape stands for itself.
func unescape(b []byte) (byte, int) {
	if len(b) < 2 {
		return b[0], 1
	}
	switch b[1] {
	case '"', '\\':
		return b[1], 2
	case 'n':
		return '\n', 2
	case 't':
		return '\t', 2
	case 'r':
		return '\r', 2
	case 'x':
		if len(b) >= 4 {
			if v, err := strconv.ParseUint(string(b[2:4]), 16, 8); err == nil {
				return byte(v), 4
			}
		}
	}
	return b[0], 1
}

// numbers reads status and bytes.
func (s *scanner) numbers() (int, int64, error) {
	at := s.at
	word := s.word()
	status, err := strconv.Atoi(word)
	if err != nil || len(word) != 3 {
		return 0, 0, s.fail(at, "%q is no HTTP status", clip(word))
	}
	at = s.at
	word = s.word()
	if word == "-" {
		s.space()
		return status, -1, nil
	}
	size, err := strconv.ParseInt(word, 10, 64)
	if err != nil || size < 0 {
		return 0, 0, s.fail(at, "%q is no number of bytes", clip(word))
	}
	s.space()
	return status, size, nil
}

// splitRequest takes the request line apart. Robots and broken clients send
// anything: then Method stays empty and the line is a touchpoint all the same.
func (a *accessLine) splitRequest() {
	method, rest, ok := strings.Cut(a.Request, " ")
	if !ok || !isMethod(method) {
		return
	}
	a.Method, a.Target = method, rest
	if cut := strings.LastIndex(rest, " HTTP/"); cut >= 0 {
		a.Target, a.Protocol = rest[:cut], rest[cut+1:]
	}
}

func isMethod(s string) bool {
	for i := range len(s) {
		if (s[i] < 'A' || s[i] > 'Z') && s[i] != '-' && s[i] != '_' {
			return false
		}
	}
	return s != "" && s != "-"
}

// clip bounds what of a line goes into a message.
func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "..."
	}
	return s
}
