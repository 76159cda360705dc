package pii

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cairnhq/cairn/pkg/enrich"
	"github.com/cairnhq/cairn/services/collector/internal/jsonscan"
)

// Unreadable stands for a text that was to be cleaned and is no JSON.
const Unreadable = `"[removed: not readable]"`

// Touchpoint returns a touchpoint with the rules applied: the same slice if they
// change nothing, else one of its own. ok is false if it is no JSON object.
func (r *Rules) Touchpoint(value []byte) (cleaned []byte, ok bool) {
	if r == nil {
		return value, true
	}
	w := writer{rules: r, in: value, scan: jsonscan.New(value)}
	at := make([]state, 0, len(r.rules))
	for i := range r.rules {
		at = append(at, state{rule: &r.rules[i]})
	}
	return w.all(at)
}

// Rejected cleans an event that is kept as it came, in whatever form its
// protocol has: the last name of a path counts wherever it stands, also in texts
// that hold JSON, plain or in base64. What is no JSON, or a text alone, cannot be
// cleaned and becomes Unreadable.
func (r *Rules) Rejected(value []byte) []byte {
	if r == nil {
		return value
	}
	w := writer{rules: r, in: value, scan: jsonscan.New(value), anywhere: true}
	if w.scan.Peek() == '"' {
		return []byte(Unreadable)
	}
	cleaned, ok := w.all(nil)
	if !ok {
		return []byte(Unreadable)
	}
	return cleaned
}

// state is how far into a rule's path a place is.
type state struct {
	rule *rule
	done int // parts
}

// writer copies JSON and changes what rules name.
type writer struct {
	rules    *Rules
	in       []byte
	scan     jsonscan.Scanner
	anywhere bool
	out      []byte
	copied   int // of in
	changed  bool
}

func (w *writer) all(at []state) ([]byte, bool) {
	if w.scan.Peek() != '{' && !w.anywhere {
		return nil, false
	}
	if err := w.value(at); err != nil || w.scan.End() != nil {
		return nil, false
	}
	if !w.changed {
		return w.in, true
	}
	return append(w.out, w.in[w.copied:]...), true
}

// replace copies up to from and goes on behind to.
func (w *writer) replace(from, to int, with []byte) {
	w.out = append(append(w.out, w.in[w.copied:from]...), with...)
	w.copied, w.changed = to, true
}

// value walks the value that comes next.
func (w *writer) value(at []state) error {
	switch c := w.scan.Peek(); {
	case len(at) == 0 && !w.anywhere:
	case c == '{':
		return w.object(at)
	case c == '[':
		return w.array(at)
	case c == '"' && w.anywhere:
		return w.text()
	}
	_, err := w.scan.Skip()
	return err
}

func (w *writer) object(at []state) error {
	if err := w.scan.Open('{'); err != nil {
		return err
	}
	// A dropped member takes the comma behind it along, the last one that before it.
	end := w.scan.Offset() // of the last member that stayed
	pending := -1          // where a run of dropped members begins, with all before copied
	stayed := false
	for first := true; ; first = false {
		key, more, err := w.scan.Member(first)
		if err != nil {
			return err
		}
		if !more {
			if pending >= 0 {
				w.replace(end, w.scan.Offset()-1, nil)
			}
			return nil
		}
		next, hit := w.step(at, jsonscan.Unquote(key.In(w.in), nil))
		if hit != nil && hit.do == Drop {
			if _, err := w.scan.Skip(); err != nil {
				return err
			}
			if pending < 0 {
				pending = int(key.Start)
			}
			continue
		}
		if pending >= 0 { // up to here everything of the run goes
			from := end
			if stayed {
				w.replace(from, int(key.Start), []byte(","))
			} else {
				w.replace(from, int(key.Start), nil)
			}
			pending = -1
		}
		stayed = true
		if err := w.member(hit, next); err != nil {
			return err
		}
		end = w.scan.Offset()
	}
}

// member walks a value that stays, changed or not.
func (w *writer) member(hit *rule, next []state) error {
	if hit == nil {
		return w.value(next)
	}
	w.scan.Peek()
	span, err := w.scan.Skip()
	if err != nil {
		return err
	}
	w.replace(int(span.Start), int(span.End), w.rules.changed(hit, span.In(w.in)))
	return nil
}

// array walks a list: its elements stand where the list does.
func (w *writer) array(at []state) error {
	if err := w.scan.Open('['); err != nil {
		return err
	}
	for first := true; ; first = false {
		more, err := w.scan.Element(first)
		if err != nil || !more {
			return err
		}
		next := at
		var hit *rule
		for _, s := range at { // * may stand for an element
			if s.rule.parts[s.done] != "*" {
				continue
			}
			if s.done+1 == len(s.rule.parts) {
				hit = stronger(hit, s.rule)
			} else {
				next = append(slices.Clip(next), state{s.rule, s.done + 1})
			}
		}
		switch {
		case hit != nil && hit.do == Drop:
			w.scan.Peek()
			span, err := w.scan.Skip()
			if err != nil {
				return err
			}
			w.replace(int(span.Start), int(span.End), []byte("null"))
		default:
			if err := w.member(hit, next); err != nil {
				return err
			}
		}
	}
}

// step goes into a member. hit is the rule whose path ends there, the strongest
// of several.
func (w *writer) step(at []state, name []byte) (next []state, hit *rule) {
	if w.anywhere {
		for i := range w.rules.rules {
			r := &w.rules.rules[i]
			if strings.EqualFold(r.name, string(name)) {
				hit = stronger(hit, r)
			}
		}
		return nil, hit
	}
	for _, s := range at {
		if part := s.rule.parts[s.done]; part != "*" && !strings.EqualFold(part, string(name)) {
			continue
		}
		if s.done+1 == len(s.rule.parts) {
			hit = stronger(hit, s.rule)
		} else {
			next = append(next, state{s.rule, s.done + 1})
		}
	}
	return next, hit
}

// stronger is the rule that leaves less.
func stronger(a, b *rule) *rule {
	rank := map[string]int{address: 1, Truncate: 1, Hash: 2, Drop: 3}
	if a == nil || rank[b.do] > rank[a.do] {
		return b
	}
	return a
}

// changed is what stands for a value. null stays; objects and lists are dealt
// with as their text.
func (r *Rules) changed(by *rule, raw []byte) []byte {
	if raw[0] == 'n' {
		return raw
	}
	text := raw
	if raw[0] == '"' {
		text = jsonscan.Unquote(raw, nil)
	}
	if by.do == Hash {
		mac := hmac.New(sha256.New, r.secret)
		mac.Write(text)
		return jsonscan.AppendQuoted(nil, hex.AppendEncode([]byte("hmac:"), mac.Sum(nil)))
	}
	if raw[0] == '{' || raw[0] == '[' {
		return []byte("null")
	}
	if by.do == address {
		return truncated(text)
	}
	if ip, err := netip.ParseAddr(string(bytes.TrimSpace(text))); err == nil {
		return jsonscan.AppendQuoted(nil, []byte(enrich.TruncateIP(ip.String())))
	}
	end := 0
	for n := 0; n < by.keep && end < len(text); n++ {
		_, size := utf8.DecodeRune(text[end:])
		end += size
	}
	return jsonscan.AppendQuoted(nil, text[:end])
}
