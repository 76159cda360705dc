package model

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/valyala/fastjson"
)

// reader takes single values out of JSON objects. It is safe for concurrent use.
type reader struct {
	parsers fastjson.ParserPool
}

// read hands the object in text to use, which must keep nothing of it. Text that
// is no JSON object is not read.
func (r *reader) read(text string, use func(object *fastjson.Value)) {
	if text == "" || text == "{}" {
		return
	}
	p := r.parsers.Get()
	defer r.parsers.Put(p)
	root, err := p.Parse(text)
	if err == nil && root.Type() == fastjson.TypeObject {
		use(root)
	}
}

// Bounds of a path such as properties.search.query.
const (
	maxPath      = 8   // parts
	maxPathBytes = 256 // together
)

// splitPath cuts a path at its dots; ok is false if a part is empty or there is
// too much of it.
func splitPath(text string) (parts []string, ok bool) {
	parts = strings.Split(text, ".")
	if len(parts) > maxPath || len(text) > maxPathBytes {
		return nil, false
	}
	for _, p := range parts {
		if strings.TrimSpace(p) == "" {
			return nil, false
		}
	}
	return parts, true
}

// scalarText is a JSON scalar as text: what a string says, else the JSON. ok is
// false for null, objects, lists and what is missing.
func scalarText(v *fastjson.Value) (text string, ok bool) {
	if v == nil {
		return "", false
	}
	switch v.Type() {
	case fastjson.TypeString:
		return string(v.GetStringBytes()), true
	case fastjson.TypeNumber:
		if raw := v.MarshalTo(nil); isNumber(raw) {
			return string(raw), true
		}
	case fastjson.TypeTrue:
		return "true", true
	case fastjson.TypeFalse:
		return "false", true
	case fastjson.TypeNull, fastjson.TypeObject, fastjson.TypeArray:
	}
	return "", false
}

// isNumber reports whether raw is a number of JSON; the parser lets others pass,
// such as "nan", "inf" and "1-2".
func isNumber(raw []byte) bool {
	return len(raw) > 0 && (raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9') && json.Valid(raw)
}

// scalarJSON is a JSON scalar in its shortest usual form, at most limit bytes
// long; "" for anything else.
func scalarJSON(v *fastjson.Value, limit int) string {
	text, ok := scalarText(v)
	if ok && v.Type() == fastjson.TypeString && len(text) <= limit {
		text = quote(text) // fastjson's own quoting is Go's, not JSON's
	}
	if !ok || len(text) > limit {
		return ""
	}
	return text
}

// quote is text as a JSON string.
func quote(text string) string {
	plain := utf8.ValidString(text)
	for i := 0; i < len(text) && plain; i++ {
		plain = text[i] >= 0x20 && text[i] != '"' && text[i] != '\\'
	}
	if plain {
		return `"` + text + `"`
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		return `""` // a string always encodes
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// scalarValue is the Go value of what scalarJSON wrote; nil if it is none.
func scalarValue(text string) any {
	switch {
	case text == "true":
		return true
	case text == "false":
		return false
	case text == "":
		return nil
	case text[0] != '"':
		n, err := strconv.ParseFloat(text, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return nil
		}
		return n
	case len(text) >= 2 && strings.IndexByte(text, '\\') < 0:
		return text[1 : len(text)-1]
	}
	var s string
	if json.Unmarshal([]byte(text), &s) != nil {
		return nil
	}
	return s
}

// maxNumber is how long a number written as text may be, in bytes.
const maxNumber = 32

// number reads an answer: a JSON number, or text that is a plain decimal number,
// as many forms send it. given is false for null, empty text and what is missing:
// no answer at all. An answer that is no number is NaN.
func number(v *fastjson.Value) (n float64, given bool) {
	text, ok := scalarText(v)
	switch {
	case v == nil || v.Type() == fastjson.TypeNull:
		return 0, false
	case !ok || v.Type() == fastjson.TypeTrue || v.Type() == fastjson.TypeFalse:
		return math.NaN(), true
	}
	if text = strings.TrimSpace(text); text == "" {
		return 0, false
	}
	if len(text) > maxNumber && v.Type() == fastjson.TypeString || strings.Trim(text, "+-.0123456789eE") != "" {
		return math.NaN(), true
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return math.NaN(), true
	}
	return n, true
}
