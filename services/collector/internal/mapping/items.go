package mapping

import (
	"bytes"
	"encoding/json"
)

// Decode reads JSON as items are made of. Its error is encoding/json's.
func Decode(raw []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber() // numbers keep their digits
	err = d.Decode(&v)
	return v, err
}

// Items finds a body's items, as they came. ok is false where the mapping says
// that they are in a list, and there is none.
func (s *Source) Items(body []byte) (items []json.RawMessage, ok bool) {
	for _, at := range s.items {
		if body, ok = member(body, at); !ok {
			return nil, false
		}
	}
	trimmed := bytes.TrimLeft(body, " \t\r\n")
	if len(trimmed) > 0 && trimmed[0] == '[' {
		err := json.Unmarshal(body, &items)
		return items, err == nil
	}
	return []json.RawMessage{body}, s.items == nil
}

func member(raw []byte, at step) ([]byte, bool) {
	if at.name != "" {
		var object map[string]json.RawMessage
		if json.Unmarshal(raw, &object) != nil {
			return nil, false
		}
		found, ok := object[at.name]
		return found, ok
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil || at.index >= len(list) {
		return nil, false
	}
	return list[at.index], true
}

// safeDigits is how many digits of a number no reader of JSON loses.
const safeDigits = 15

// Cell is a field of a table or a form as JSON: a number where it is written as JSON writes one, so
// that conditions can compare it; as text it is the same either way.
func Cell(text string) any {
	if len(text) > safeDigits || !isNumber(text) {
		return text
	}
	return json.Number(text)
}

// isNumber knows whole numbers and decimals: no exponent, no + and no zeros
// before.
func isNumber(text string) bool {
	digits := bytes.TrimPrefix([]byte(text), []byte("-"))
	whole, fraction, decimal := bytes.Cut(digits, []byte("."))
	if len(whole) == 0 || len(whole) > 1 && whole[0] == '0' || decimal && len(fraction) == 0 {
		return false
	}
	for _, c := range append(bytes.Clone(whole), fraction...) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
