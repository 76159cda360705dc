package model

import (
	"cel.dev/cel-go/interpreter"
	"github.com/valyala/fastjson"

	"github.com/cairnhq/cairn/pkg/journey"
)

// variables gives CEL what it asks for of one touchpoint, and decodes JSON only
// when it does.
type variables struct {
	t     *journey.Touchpoint
	needs *needs
}

// Parent has no meaning here; interpreter.Activation wants it.
func (v *variables) Parent() interpreter.Activation { return nil }

// ResolveName is the value of a variable, or false where it has none.
func (v *variables) ResolveName(name string) (any, bool) {
	t := v.t
	switch name {
	case "properties":
		return decode(t.Properties, &v.needs.properties), true
	case "traits":
		return decode(t.Traits, &v.needs.traits), true
	case "event":
		return t.Event, true
	case "type":
		return t.Type, true
	case "channel":
		return t.Channel, true
	case "actor":
		return t.Actor, true
	case "source":
		return t.Source, true
	case "page":
		p := &t.Page
		return map[string]string{"url": p.URL, "path": p.Path, "title": p.Title, "referrer": p.Referrer}, true
	case "campaign":
		c := &t.Campaign
		return map[string]string{
			"source": c.Source, "medium": c.Medium, "name": c.Name, "term": c.Term, "content": c.Content,
		}, true
	case "revenue":
		return float64(t.RevenueMicros) / 1e6, true
	case "sentiment":
		return float64(t.Sentiment) / 100, t.SentimentSource != ""
	}
	return nil, false
}

// decode reads the wanted part of a JSON object. A null counts as absent, and
// so does everything in text that is not an object.
func decode(text string, want *part) map[string]any {
	object := map[string]any{}
	if text == "" {
		return object
	}
	var parser fastjson.Parser
	root, err := parser.Parse(text)
	if err != nil || root.Type() != fastjson.TypeObject {
		return object
	}
	if want.all {
		root.GetObject().Visit(func(key []byte, v *fastjson.Value) { put(object, string(key), v) })
		return object
	}
	for _, key := range want.keys {
		if v := root.Get(key); v != nil {
			put(object, key, v)
		}
	}
	return object
}

func put(object map[string]any, key string, v *fastjson.Value) {
	if _, taken := object[key]; !taken && v.Type() != fastjson.TypeNull {
		object[key] = native(v)
	}
}

// native is the Go value of a JSON value; numbers are float64.
func native(v *fastjson.Value) any {
	switch v.Type() {
	case fastjson.TypeObject:
		object := map[string]any{}
		v.GetObject().Visit(func(key []byte, v *fastjson.Value) { put(object, string(key), v) })
		return object
	case fastjson.TypeArray:
		items := v.GetArray()
		list := make([]any, 0, len(items))
		for _, item := range items {
			list = append(list, native(item))
		}
		return list
	case fastjson.TypeString:
		return string(v.GetStringBytes())
	case fastjson.TypeNumber:
		return v.GetFloat64()
	case fastjson.TypeTrue:
		return true
	case fastjson.TypeFalse:
		return false
	case fastjson.TypeNull:
	}
	return nil
}
