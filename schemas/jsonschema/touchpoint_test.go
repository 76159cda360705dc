package jsonschema_test

import (
	"encoding/json"
	"strings"
	"testing"

	validator "github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/schemas/jsonschema"
)

// compile reads one of the schemas, which must be valid themselves.
func compile(t *testing.T, name string) *validator.Schema {
	t.Helper()
	text, err := jsonschema.Files.ReadFile(name)
	require.NoError(t, err)
	doc, err := validator.UnmarshalJSON(strings.NewReader(string(text)))
	require.NoError(t, err)
	c := validator.NewCompiler()
	require.NoError(t, c.AddResource(name, doc))
	s, err := c.Compile(name)
	require.NoError(t, err)
	return s
}

// verdicts are what the schema and the device step's decoder say of a document.
func verdicts(t require.TestingT, s *validator.Schema, text string) (bySchema, byDecoder error) {
	doc, err := validator.UnmarshalJSON(strings.NewReader(text))
	require.NoError(t, err)
	var raw wire.Raw
	return s.Validate(doc), wire.DecodeRaw(&wire.RawRecord{Value: []byte(text), Arrival: 1_795_453_500_000}, &raw)
}

// The schema's own examples are what it says they are.
func TestTouchpointExamplesInTheSchema(t *testing.T) {
	s := compile(t, jsonschema.Touchpoint)
	require.Len(t, s.Examples, 2)
	for _, example := range s.Examples {
		text, err := json.Marshal(example)
		require.NoError(t, err)
		bySchema, byDecoder := verdicts(t, s, string(text))
		require.NoError(t, bySchema)
		require.NoError(t, byDecoder)
	}
}

// The schema and the device step accept the same documents.
func TestTouchpointSchemaAgreesWithTheDecoder(t *testing.T) {
	s := compile(t, jsonschema.Touchpoint)
	accepted, refused := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		raw, err := json.Marshal(document().Draw(rt, "document"))
		require.NoError(rt, err)
		bySchema, byDecoder := verdicts(rt, s, string(raw))
		if (bySchema == nil) != (byDecoder == nil) {
			rt.Fatalf("%s\nthe schema says: %v\nthe decoder says: %v", raw, bySchema, byDecoder)
		}
		if byDecoder == nil {
			accepted++
		} else {
			refused++
		}
	})
	t.Logf("%d accepted, %d refused", accepted, refused)
	require.Positive(t, accepted)
	require.Positive(t, refused)
}

// What the schema's description lists as the only differences, is one.
func TestTouchpointSchemaIsStricterWhereItSaysSo(t *testing.T) {
	s := compile(t, jsonschema.Touchpoint)
	for name, text := range map[string]string{
		"a text that is a list":           `{"event":"e","userId":"u","channel":["web"]}`,
		"a type that is an object":        `{"event":"e","userId":"u","type":{}}`,
		"a context that is a text":        `{"event":"e","userId":"u","context":"x"}`,
		"external ids that are an object": `{"event":"e","userId":"u","externalIds":{"id":"x"}}`,
		"an external id that is a text":   `{"event":"e","userId":"u","externalIds":["x"]}`,
		"0.0 as a name":                   `{"event":"e","userId":0.0}`,
		"a comma in a time":               `{"event":"e","userId":"u","timestamp":"2026-11-23T17:05:00,5Z"}`,
		"an hour of one digit":            `{"event":"e","userId":"u","timestamp":"2026-11-23T7:05:00Z"}`,
		"an offset of 60 minutes":         `{"event":"e","userId":"u","timestamp":"2026-11-23T17:05:00+01:60"}`,
		"an offset into 1970":             `{"event":"e","userId":"u","timestamp":"1969-12-31T23:59:59-01:00"}`,
	} {
		bySchema, byDecoder := verdicts(t, s, text)
		require.NoError(t, byDecoder, name)
		require.Error(t, bySchema, name)
	}
	for name, text := range map[string]string{
		"an offset out of 1970":       `{"event":"e","userId":"u","timestamp":"1970-01-01T00:30:00+01:00"}`,
		"a key given twice":           `{"event":"e","externalIds":[{"id":"null","id":"x"}]}`,
		"a name after 2,048 zeros":    `{"event":"e","userId":"` + strings.Repeat("0", 2048) + `x"}`,
		"nested deeper than 256":      `{"event":"e","userId":"u","properties":` + strings.Repeat(`{"a":`, 256) + `1` + strings.Repeat(`}`, 256) + `}`,
		"more than one MiB of a text": `{"event":"e","userId":"u","title":"` + strings.Repeat("x", 1<<20) + `"}`,
	} {
		bySchema, byDecoder := verdicts(t, s, text)
		require.Error(t, byDecoder, name)
		require.NoError(t, bySchema, name)
	}
}

// document draws touchpoints of which about half are fine.
func document() *rapid.Generator[map[string]any] {
	return rapid.Custom(func(rt *rapid.T) map[string]any {
		out := map[string]any{}
		put := func(into map[string]any, name string, from *rapid.Generator[any], often int) {
			if rapid.IntRange(0, 9).Draw(rt, "has "+name) < often {
				into[name] = from.Draw(rt, name)
			}
		}
		put(out, "type", mostly(calls(), "", nil, "Track", "trac\u212a", "event", 5, true, " track", "tracks"), 8)
		put(out, "event", mostly(texts(), "", "  ", "\u00a0\u3000", nil, "\u0085", "\ufeff", 0, false), 8)
		put(out, "anonymousId", mostly(texts(), names()...), 5)
		put(out, "userId", mostly(texts(), names()...), 5)
		put(out, "externalIds", externalIDs(), 3)
		put(out, "actor", mostly(rapid.SampledFrom([]any{"customer", "business", "BUSINESS"}), "", nil, "nobody", 1, true, "customer "), 2)
		for _, name := range []string{"timestamp", "originalTimestamp", "sentAt", "receivedAt"} {
			put(out, name, mostly(times(), nil, "", "soon", true, map[string]any{}, []any{}, 0, -1), 2)
		}
		for _, name := range []string{"messageId", "name", "previousId", "groupId", "channel", "source"} {
			put(out, name, texts(), 2)
		}
		put(out, "other", rapid.SampledFrom([]any{nil, 1, "x", map[string]any{"a": []any{}}}), 2)
		if rapid.Bool().Draw(rt, "with context") {
			context := map[string]any{}
			put(context, "externalIds", externalIDs(), 5)
			put(context, "locale", texts(), 3)
			put(context, "page", rapid.SampledFrom([]any{nil, map[string]any{}, map[string]any{"url": "https://shop.example/a", "title": nil}}), 3)
			put(context, "device", rapid.SampledFrom([]any{nil, map[string]any{"type": "ios", "model": 7}}), 3)
			out["context"] = context
		}
		put(out, "properties", rapid.SampledFrom([]any{nil, map[string]any{}, map[string]any{"revenue": 1.5, "url": true}}), 3)
		return out
	})
}

// mostly draws from good, and now and then one of the others.
func mostly(good *rapid.Generator[any], others ...any) *rapid.Generator[any] {
	return rapid.Custom(func(rt *rapid.T) any {
		if rapid.IntRange(0, 3).Draw(rt, "other") == 0 {
			return rapid.SampledFrom(others).Draw(rt, "of others")
		}
		return good.Draw(rt, "good")
	})
}

func calls() *rapid.Generator[any] {
	return rapid.SampledFrom([]any{"track", "page", "screen", "identify", "group", "alias", "PAGE"})
}

func texts() *rapid.Generator[any] {
	return rapid.OneOf(rapid.String().AsAny(), rapid.SampledFrom([]any{"Order Completed", "42", "5f3c9a", true, 17, 1.5}))
}

// names are ids that name nobody, and some that look as if they did not.
func names() []any {
	return []any{
		"", " ", "null", " NULL ", "Nil", "none", "NaN", "undefined", "UnKnown", "un\u212anown", "anonymous", "n/a", "NA", "true", "false", "-1", "[object Object]",
		"0", "000-000", "---", "\u00a00\u3000", nil, 0, -1, 1, 12, true, false, "nulls", "0x", "-2", "[object]", "a na", "\ufeff",
	}
}

func externalIDs() *rapid.Generator[any] {
	return rapid.Custom(func(rt *rapid.T) any {
		if rapid.IntRange(0, 9).Draw(rt, "null") == 0 {
			return nil
		}
		list := []any{}
		for range rapid.IntRange(0, 3).Draw(rt, "number of ids") {
			id := map[string]any{}
			if rapid.IntRange(0, 4).Draw(rt, "has type") > 0 {
				id["type"] = rapid.SampledFrom([]any{"loyalty", "email", "user_id", "anonymous_id", "", nil, "a b", 7}).Draw(rt, "type")
			}
			if rapid.IntRange(0, 4).Draw(rt, "has id") > 0 {
				id["id"] = mostly(texts(), names()...).Draw(rt, "id")
			}
			list = append(list, id)
		}
		return list
	})
}

// times draws what is a time or looks like one, less what stands in the schema's
// list of differences.
func times() *rapid.Generator[any] {
	two := func(most int) *rapid.Generator[string] {
		return rapid.Custom(func(rt *rapid.T) string {
			n := rapid.IntRange(0, most).Draw(rt, "n")
			return string([]byte{byte('0' + n/10), byte('0' + n%10)})
		})
	}
	return rapid.Custom(func(rt *rapid.T) any {
		if rapid.Bool().Draw(rt, "a number") {
			return rapid.SampledFrom([]any{
				0.001, 0.0009, 1, 1.5, 1_795_453_500, 1_795_453_500_000, 1_795_453_500_000.5, 99_999_999_999, 100_000_000_000, 4_102_444_800, 4_102_444_801,
				4_102_444_800_000, 4_102_444_800_001, 1e300, -5,
			}).Draw(rt, "number")
		}
		year := rapid.SampledFrom([]string{"1971", "1972", "2000", "2023", "2024", "2026", "2098", "1950", "2101", "0000", "26", "20265"}).Draw(rt, "year")
		separator := rapid.SampledFrom([]string{"T", "T", "T", "T", "T", " ", "t", ""}).Draw(rt, "separator")
		fraction := rapid.SampledFrom([]string{"", ".1", ".123", ".123456789", ".", ".x"}).Draw(rt, "fraction")
		offset := rapid.SampledFrom([]string{"Z", "Z", "Z", "+01:00", "-23:59", "+0100", "", "z", "+1:00", "+01:61"}).Draw(rt, "offset")
		return year + "-" + two(13).Draw(rt, "month") + "-" + two(32).Draw(rt, "day") + separator + two(24).Draw(rt, "hour") + ":" + two(60).Draw(rt, "minute") + ":" +
			two(60).Draw(rt, "second") + fraction + offset
	})
}
