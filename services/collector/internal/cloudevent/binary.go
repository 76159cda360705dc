package cloudevent

import (
	"encoding/json"
	"mime"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cairnhq/cairn/services/collector/internal/door"
	"github.com/cairnhq/cairn/services/collector/internal/jsonscan"
)

// binary reads an event whose attributes are headers and whose data are the
// body.
func (q *Request) binary(in *door.Input) event {
	e := event{attributes: map[string]string{}}
	for name, values := range in.Header {
		attribute, ok := strings.CutPrefix(name, "Ce-")
		if ok && len(values) > 0 && values[0] != "" {
			e.attributes[strings.ToLower(attribute)] = headerText(values[0])
		}
	}
	if kind := in.Header.Get("Content-Type"); kind != "" {
		e.attributes["datacontenttype"] = strings.ToValidUTF8(kind, "\uFFFD")
	}
	if len(in.Body) > 0 {
		e.data, e.mode = in.Body, bytesData
	}
	size := len(in.Body)
	for name, value := range e.attributes {
		size += len(name) + len(value)
	}
	if size > q.limits.EventBytes {
		e.reject = tooLarge(size, q.limits)
	}
	e.raw = e.asStructured()
	return e
}

// asStructured writes the event as one of structured mode: what is rejected is
// kept so, and can be sent again.
func (e *event) asStructured() []byte {
	out := make(map[string]any, len(e.attributes)+1)
	for name, value := range e.attributes {
		out[name] = value
	}
	switch {
	case e.mode == noData:
	case isJSON(e.attributes["datacontenttype"]) && json.Valid(e.data) && utf8.Valid(e.data):
		out["data"] = json.RawMessage(e.data)
	default:
		out["data_base64"] = e.data // []byte becomes base64
	}
	raw, _ := json.Marshal(out) // texts, base64 and valid JSON always can be written
	return raw
}

// headerText undoes what the HTTP binding does to attributes: quotes, and
// percent-encoding of what a header cannot carry.
func headerText(value string) string {
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		value = unquote(value[1 : len(value)-1])
	}
	if strings.Contains(value, "%") {
		var b strings.Builder
		for i := 0; i < len(value); i++ {
			if value[i] == '%' && i+2 < len(value) {
				if c, err := strconv.ParseUint(value[i+1:i+3], 16, 8); err == nil {
					b.WriteByte(byte(c))
					i += 2
					continue
				}
			}
			b.WriteByte(value[i])
		}
		value = b.String()
	}
	return strings.ToValidUTF8(value, "\uFFFD")
}

func unquote(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// isJSON reports whether data of a content type are JSON, as those of none are.
func isJSON(contentType string) bool {
	media := mediaType(contentType)
	return media == "" || media == "application/json" || media == "text/json" || strings.HasSuffix(media, "+json")
}

func isText(contentType string) bool {
	media := mediaType(contentType)
	return strings.HasPrefix(media, "text/") || media == "application/xml" || strings.HasSuffix(media, "+xml")
}

func mediaType(contentType string) string {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		media, _, _ = strings.Cut(contentType, ";")
	}
	return strings.ToLower(strings.TrimSpace(media))
}

// properties are the event's data: an object as it is, all else as the one
// member data, or, where it is neither JSON nor text, data_base64.
func (e *event) properties(limits door.Limits) (props json.RawMessage, rej *door.Reject) {
	kind := e.attributes["datacontenttype"]
	switch {
	case e.mode == noData:
		return nil, nil
	case e.mode == jsonData: // it was scanned with the event
		return object(e.data), nil
	case isJSON(kind):
		s := jsonscan.New(e.data)
		if _, err := s.Skip(); err != nil {
			return nil, syntax(err, "/data")
		}
		if err := s.End(); err != nil {
			return nil, syntax(err, "/data")
		}
		if s.Deepest() > limits.Depth {
			return nil, tooDeep(limits).Under("/data")
		}
		if !utf8.Valid(e.data) {
			return nil, door.NewReject(door.CodeBadJSON, "The data hold bytes that are not UTF-8.", "/data")
		}
		return object(e.data), nil
	case isText(kind) && utf8.Valid(e.data):
		props, _ = json.Marshal(map[string]string{"data": string(e.data)})
	default:
		props, _ = json.Marshal(map[string][]byte{"data_base64": e.data})
	}
	return props, nil
}

// object is JSON that is an object; nil for null.
func object(raw []byte) json.RawMessage {
	s := jsonscan.New(raw)
	switch s.Peek() {
	case '{':
		return raw
	case 'n':
		return nil
	}
	out, _ := json.Marshal(map[string]json.RawMessage{"data": raw}) // it was checked
	return out
}
