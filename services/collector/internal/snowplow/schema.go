package snowplow

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/cairnhq/cairn/services/collector/internal/door"
	"github.com/cairnhq/cairn/services/collector/internal/jsonscan"
)

// schema is what an Iglu URI names.
type schema struct {
	Vendor  string `json:"vendor"`
	Name    string `json:"name"`
	Format  string `json:"format"`
	Version string `json:"version"`
}

// snowplows are the vendors of Snowplow's own schemas.
const (
	snowplows = "com.snowplowanalytics."
	ecommerce = "com.snowplowanalytics.snowplow.ecommerce"
)

// parseSchema reads iglu:vendor/name/format/version.
func parseSchema(uri string) (s schema, ok bool) {
	rest, ok := strings.CutPrefix(uri, "iglu:")
	parts := strings.Split(rest, "/")
	if !ok || len(parts) != 4 || parts[0] == "" || parts[1] == "" {
		return schema{}, false
	}
	return schema{parts[0], parts[1], parts[2], parts[3]}, true
}

// document is a self-describing one.
type document struct {
	Schema string          `json:"schema"`
	Data   json.RawMessage `json:"data"`
}

// documents reads the fields called plain and coded (base64) as documents.
// Trackers send one of the two.
func (b *builder) documents(plain, coded string) (docs []document, rej *door.Reject) {
	if text := b.take(plain); text != "" {
		d, rej := b.document([]byte(text), "/"+plain)
		if rej != nil {
			return nil, rej
		}
		docs = append(docs, d)
	}
	if text := b.take(coded); text != "" {
		raw, ok := unbase64(text)
		if !ok {
			return nil, door.NewReject(door.CodeBadField, coded+" must be base64.", "/"+coded)
		}
		d, rej := b.document(raw, "/"+coded)
		if rej != nil {
			return nil, rej
		}
		docs = append(docs, d)
	}
	return docs, nil
}

func (b *builder) document(raw []byte, at string) (d document, rej *door.Reject) {
	s := jsonscan.New(raw)
	if s.Peek() != '{' {
		return d, door.NewReject(door.CodeBadField, "A self-describing document is an object with schema and data.", at)
	}
	if _, err := s.Skip(); err != nil {
		return d, door.NewReject(door.CodeBadJSON, "The document is not JSON: "+err.Error()+".", at)
	}
	if err := s.End(); err != nil {
		return d, door.NewReject(door.CodeBadJSON, "The document is not JSON: "+err.Error()+".", at)
	}
	switch {
	case s.Deepest() > b.q.limits.Depth:
		return d, tooDeep(b.q.limits.Depth, at)
	case !utf8.Valid(raw):
		return d, door.NewReject(door.CodeBadJSON, "The document holds bytes that are not UTF-8.", at)
	case json.Unmarshal(raw, &d) != nil:
		return d, door.NewReject(door.CodeBadField, "The document's schema must be a text.", at)
	}
	return d, nil
}

// unbase64 reads base64 in either alphabet, padded or not.
func unbase64(text string) ([]byte, bool) {
	text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	raw, err := base64.RawStdEncoding.DecodeString(text)
	return raw, err == nil
}

// properties are the members of an object; what is no object becomes the one
// member data.
func properties(raw json.RawMessage) map[string]any {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		if len(raw) == 0 {
			return map[string]any{}
		}
		return map[string]any{"data": raw}
	}
	out := make(map[string]any, len(members)+4)
	for name, value := range members {
		out[name] = value
	}
	return out
}

// texts are the members of an object that are texts or numbers, as texts.
func texts(raw json.RawMessage) map[string]string {
	if len(raw) == 0 || raw[0] != '{' {
		return nil
	}
	return members(raw)
}
