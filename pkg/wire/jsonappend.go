package wire

import (
	"encoding/json"
	"strconv"
	"time"
)

// jsonWriter writes CloudEvents by hand, where encoding/json was a tenth of what a transition
// costs. What it writes is what encoding/json does, byte by byte.
type jsonWriter struct{ b []byte }

// name begins a member; the object was opened by the caller.
func (w *jsonWriter) name(name string) {
	if c := w.b[len(w.b)-1]; c != '{' {
		w.b = append(w.b, ',')
	}
	w.b = append(w.b, '"')
	w.b = append(w.b, name...)
	w.b = append(w.b, '"', ':')
}

func (w *jsonWriter) raw(name, value string) {
	w.name(name)
	w.b = append(w.b, value...)
}

func (w *jsonWriter) str(name, value string) {
	w.name(name)
	w.text(value)
}

// text appends a string. One with anything to escape is left to encoding/json.
func (w *jsonWriter) text(s string) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			b, err := json.Marshal(s)
			if err != nil {
				panic("wire: a string is always JSON: " + err.Error())
			}
			w.b = append(w.b, b...)
			return
		}
	}
	w.b = append(w.b, '"')
	w.b = append(w.b, s...)
	w.b = append(w.b, '"')
}

func (w *jsonWriter) uint(name string, n uint64) {
	w.name(name)
	w.b = strconv.AppendUint(w.b, n, 10)
}

func (w *jsonWriter) int(name string, n int64) {
	w.name(name)
	w.b = strconv.AppendInt(w.b, n, 10)
}

func (w *jsonWriter) bool(name string, v bool) {
	w.name(name)
	w.b = strconv.AppendBool(w.b, v)
}

// hundredths appends a number with two decimals at most.
func (w *jsonWriter) hundredths(name string, n int32) {
	w.name(name)
	w.b = strconv.AppendFloat(w.b, float64(n)/100, 'f', -1, 64)
}

// millis appends a time.
func (w *jsonWriter) millis(name string, ms int64) {
	w.name(name)
	w.b = append(w.b, '"')
	w.b = time.UnixMilli(ms).UTC().AppendFormat(w.b, millisLayout)
	w.b = append(w.b, '"')
}

// event opens a CloudEvent up to its data; the id is given in parts.
func (w *jsonWriter) event(namespace, typ, subject string, at int64, id string, numbers ...uint64) {
	w.b = append(w.b, '{')
	w.raw("specversion", `"1.0"`)
	w.str("id", id)
	w.b = w.b[:len(w.b)-1] // the numbers go before the quote
	for _, n := range numbers {
		w.b = strconv.AppendUint(append(w.b, '/'), n, 10)
	}
	w.b = append(w.b, '"')
	w.str("source", "/cairn/"+namespace)
	w.str("type", typ)
	w.str("subject", subject)
	w.millis("time", at)
	w.str("datacontenttype", ContentJSON)
	w.raw("data", "{")
}
