package collector_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnhq/cairn/services/collector"
)

// openAPI is schemas/openapi/collector.yaml.
type openAPI struct {
	t        *testing.T
	doc      map[string]any
	compiler *jsonschema.Compiler
}

// operation is one method of a path.
type operation struct {
	path, method, at string // at: JSON pointer
	spec             map[string]any
}

func loadOpenAPI(t *testing.T) *openAPI {
	t.Helper()
	text, err := os.ReadFile("../../schemas/openapi/collector.yaml")
	require.NoError(t, err)
	var value any
	require.NoError(t, yaml.Unmarshal(text, &value))
	raw, err := json.Marshal(value)
	require.NoError(t, err)
	o := &openAPI{t: t, compiler: jsonschema.NewCompiler()}
	require.NoError(t, json.Unmarshal(raw, &o.doc))
	resource, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	require.NoError(t, err)
	require.NoError(t, o.compiler.AddResource("collector.json", resource))
	require.Equal(t, "3.1.0", o.doc["openapi"])
	return o
}

// follow resolves a $ref; at is where the result stands.
func (o *openAPI) follow(v any, at string) (map[string]any, string) {
	o.t.Helper()
	object, ok := v.(map[string]any)
	require.True(o.t, ok, "%s is no object", at)
	ref, ok := object["$ref"].(string)
	if !ok {
		return object, at
	}
	var found any = o.doc
	for name := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		found = found.(map[string]any)[name]
	}
	require.NotNil(o.t, found, "%s refers to %s, which is not there", at, ref)
	return o.follow(found, ref[1:])
}

func (o *openAPI) compile(at string) *jsonschema.Schema {
	o.t.Helper()
	s, err := o.compiler.Compile("collector.json#" + at)
	require.NoError(o.t, err, at)
	return s
}

func (o *openAPI) operations() (all []operation) {
	paths := o.doc["paths"].(map[string]any)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		methods := paths[path].(map[string]any)
		for _, method := range slices.Sorted(maps.Keys(methods)) {
			at := "/paths/" + strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(path) + "/" + method
			all = append(all, operation{path, strings.ToUpper(method), at, methods[method].(map[string]any)})
		}
	}
	return all
}

// TestOpenAPIHasEveryRoute: what the document lists are the routes that there are.
func TestOpenAPIHasEveryRoute(t *testing.T) {
	var documented, served []string
	ids := map[string]bool{}
	for _, op := range loadOpenAPI(t).operations() {
		documented = append(documented, op.method+" "+regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(op.path, "*"))
		id := op.spec["operationId"].(string)
		require.False(t, ids[id], "the operationId %s stands there twice", id)
		ids[id] = true
	}
	for _, route := range start(t, nil).service.Routes() {
		// HEAD comes with GET, and the document says so once for all.
		if !strings.HasPrefix(route, http.MethodHead+" ") {
			served = append(served, route)
		}
	}
	slices.Sort(documented)
	slices.Sort(served)
	require.Equal(t, served, documented, "schemas/openapi/collector.yaml must list what the doors serve")
}

// answered checks an answer against the document. It returns the status.
func (o *openAPI) answered(op *operation, res exchanged, body, sent string) int {
	o.t.Helper()
	about := fmt.Sprintf("%s %s answered %d %s %q to %q", op.method, op.path, res.StatusCode, res.Header.Get("Content-Type"), body, sent)
	responses := op.spec["responses"].(map[string]any)
	status := strconv.Itoa(res.StatusCode)
	require.Contains(o.t, responses, status, about)
	answer, at := o.follow(responses[status], op.at+"/responses/"+status)
	headers, _ := answer["headers"].(map[string]any)
	for name, h := range headers {
		spec := h.(map[string]any)
		value := res.Header.Get(name)
		if spec["required"] == true {
			require.NotEmpty(o.t, value, "%s: %s", name, about)
		}
		if value != "" {
			require.NoError(o.t, o.compile(at+"/headers/"+name+"/schema").Validate(value), about)
		}
	}
	content, _ := answer["content"].(map[string]any)
	if len(content) == 0 {
		require.Empty(o.t, body, about)
		return res.StatusCode
	}
	media, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	require.Contains(o.t, content, media, about)
	var value any = body
	if media == "application/json" {
		var err error
		value, err = jsonschema.UnmarshalJSON(strings.NewReader(body))
		require.NoError(o.t, err, about)
	}
	require.NoError(o.t, o.compile(at+"/content/"+strings.ReplaceAll(media, "/", "~1")+"/schema").Validate(value), about)
	return res.StatusCode
}

// question is a request that was drawn.
type question struct {
	path, body string
	headers    []string
	valid      bool // as the document wants it, with a write key
}

// draw makes a request: mostly as the document wants it.
func (o *openAPI) draw(rt *rapid.T, op *operation) question {
	q := question{valid: true}
	broken := rapid.IntRange(0, 3).Draw(rt, "broken") == 0
	if rapid.IntRange(0, 9).Draw(rt, "without key") == 0 {
		q.valid = false
	} else {
		q.headers = append(q.headers, "Authorization", asShop())
	}
	query := url.Values{}
	q.path = op.path
	parameters, _ := op.spec["parameters"].([]any)
	for i, p := range parameters {
		spec, _ := o.follow(p, op.at+"/parameters/"+strconv.Itoa(i))
		name := spec["name"].(string)
		if spec["required"] != true && rapid.Bool().Draw(rt, "leave out "+name) {
			continue
		}
		value := rapid.SampledFrom([]string{"x", "a-1", "tp2", "Order Completed", "till"}).Draw(rt, name)
		switch {
		case name == "u":
			value = rapid.SampledFrom([]string{"https://shop.example/a", "https://elsewhere.example/", "javascript:1", ""}).Draw(rt, name)
		case name == "data":
			raw, err := json.Marshal(o.value(rt, map[string]any{"$ref": "#/components/schemas/PostHogBody"}, 0))
			require.NoError(o.t, err)
			value = string(raw)
		case name == "Cairn-Chunk":
			value = rapid.SampledFrom([]string{"0", "7", "x"}).Draw(rt, name)
		case name == "hash":
			value = rapid.SampledFrom([]string{"0123456789abcdef", "x"}).Draw(rt, name)
		case spec["schema"] != nil:
			if words, ok := spec["schema"].(map[string]any)["enum"].([]any); ok {
				value = rapid.SampledFrom(words).Draw(rt, name).(string)
			}
		}
		switch spec["in"] {
		case "path":
			q.path = strings.ReplaceAll(q.path, "{"+name+"}", url.PathEscape(value))
		case "query":
			query.Set(name, value)
		case "header":
			q.headers = append(q.headers, name, value)
		}
	}
	if rapid.IntRange(0, 4).Draw(rt, "slash") == 0 && q.path != "/" && !strings.Contains(q.path, "cairn.js") {
		q.path += "/"
	}
	if len(query) > 0 {
		q.path += "?" + query.Encode()
	}
	if op.spec["requestBody"] == nil {
		return q
	}
	content := op.spec["requestBody"].(map[string]any)["content"].(map[string]any)
	media := rapid.SampledFrom(slices.Sorted(maps.Keys(content))).Draw(rt, "media")
	q.headers = append(q.headers, "Content-Type", strings.ReplaceAll(media, "*/*", "application/octet-stream"))
	if broken {
		q.valid = false
		q.body = rapid.OneOf(rapid.StringN(0, 40, 80), rapid.SampledFrom([]string{"", "{", "[]", "null", `{"batch":7}`, `{"batch":[7,null,{}]}`, `[{}]`, "\xff\xfe", `{"data":[[]]}`, "\x1f\x8bgarbage", `{"event":{}}`})).Draw(rt, "rubbish")
		return q
	}
	if op.path == "/import" {
		q.body = rapid.SampledFrom([]string{one(op.path), one(op.path) + "\n" + one(op.path), "event,userId\nE,u-1\n", "E\nE\n"}).Draw(rt, "file")
		return q
	}
	// text/plain carries the JSON of the first one, a form the same as data.
	first, _ := content["application/json"].(map[string]any)
	if first == nil || media == "application/cloudevents-batch+json" || media == "application/cloudevents+json" {
		first = content[media].(map[string]any)
	}
	raw, err := json.Marshal(o.value(rt, first["schema"], 0))
	require.NoError(o.t, err)
	q.body = string(raw)
	if media == "application/x-www-form-urlencoded" && content["text/plain"] != nil {
		q.body = url.Values{"data": {q.body}}.Encode()
	}
	return q
}

// value draws a value that fits a schema, of as much of JSON Schema as the
// document uses.
func (o *openAPI) value(rt *rapid.T, schema any, depth int) any {
	if schema == true {
		return map[string]any{"any": 1}
	}
	s, _ := o.follow(schema, "a schema")
	if c, ok := s["const"]; ok {
		return c
	}
	if words, ok := s["enum"].([]any); ok {
		return rapid.SampledFrom(words).Draw(rt, "word")
	}
	if either, ok := s["anyOf"].([]any); ok {
		return o.value(rt, rapid.SampledFrom(either).Draw(rt, "either"), depth)
	}
	kinds, ok := s["type"].([]any)
	if !ok {
		kinds = []any{s["type"]}
	}
	switch rapid.SampledFrom(kinds).Draw(rt, "kind") {
	case "object":
		out := map[string]any{}
		members, _ := s["properties"].(map[string]any)
		required, _ := s["required"].([]any)
		for _, name := range slices.Sorted(maps.Keys(members)) {
			if slices.Contains(required, any(name)) || rapid.IntRange(0, 2).Draw(rt, "has "+name) == 0 {
				out[name] = o.value(rt, members[name], depth+1)
			}
		}
		if len(members) == 0 {
			out = rapid.MapOfN(rapid.StringN(1, 8, 16), rapid.SampledFrom([]any{1, "x", true, nil, []any{1.5}, map[string]any{"a": 1}}), 0, 3).Draw(rt, "members")
		}
		return out
	case "array":
		least, _ := s["minItems"].(float64)
		list := []any{}
		for range rapid.IntRange(int(least), 3).Draw(rt, "length") {
			list = append(list, o.value(rt, s["items"], depth+1))
		}
		return list
	case "string":
		if s["format"] == "date-time" {
			return "2026-11-23T07:00:00.000Z"
		}
		return rapid.SampledFrom([]string{"x", "u-1", "Order Completed", "2026-11-23T07:00:00.000Z", "1795417200000", "ü ", `"\`, "https://shop.example/?a=b"}).Draw(rt, "text")
	case "number":
		return rapid.SampledFrom([]any{0, 1, -1.5, 1795417200000, 42}).Draw(rt, "number")
	case "boolean":
		return rapid.Bool().Draw(rt, "boolean")
	default:
		return nil
	}
}

// batches are the operations whose requests are taken whenever they are as the
// document wants them: single events that name nobody are rejected one by one.
func (op *operation) batch() bool {
	switch op.spec["operationId"] {
	case "segment_batch", "segment_b", "rudder_beacon", "snowplow_post", "posthog_batch", "posthog_e", "posthog_capture":
		return true
	}
	return false
}

const webhookMapping = `version: 1
sources:
  till: {event: receipt, user_id: customer}
`

func openAPIRig(t *testing.T, change func(*collector.Options)) *rig {
	t.Helper()
	file := filepath.Join(t.TempDir(), "webhooks.yaml")
	require.NoError(t, os.WriteFile(file, []byte(webhookMapping), 0o600))
	return start(t, func(o *collector.Options) {
		o.AllowedRedirects, o.Webhooks = []string{"shop.example"}, file
		if change != nil {
			change(o)
		}
	})
}

// draws is how many requests each operation gets.
const draws = 40

// TestOpenAPIIsWhatTheCollectorDoes drives every operation of the document with
// requests that are made from it, most of them right: each answer must be one
// that it lists, in status, headers and body.
func TestOpenAPIIsWhatTheCollectorDoes(t *testing.T) {
	o := loadOpenAPI(t)
	r := openAPIRig(t, nil)
	for _, op := range o.operations() {
		seen := map[int]int{}
		questions := rapid.Custom(func(rt *rapid.T) question { return o.draw(rt, &op) })
		for seed := range draws {
			q := questions.Example(seed)
			res, body := r.exchange(op.method, q.path, q.body, q.headers...)
			status := o.answered(&op, res, body, q.body)
			seen[status]++
			if q.valid && op.batch() {
				require.Contains(t, []int{200, 204}, status, "%s %s: %s was to be taken: %s", op.method, q.path, q.body, body)
			}
		}
		responses := op.spec["responses"].(map[string]any)
		require.Positive(t, seen[200]+seen[302]+seen[204], "%s %s is never taken: %v", op.method, op.path, seen)
		if responses["401"] != nil {
			require.Positive(t, seen[401], "%s %s never asks for a key: %v", op.method, op.path, seen)
		}
	}
	require.NotEmpty(t, r.accepted())
	require.NotEmpty(t, r.rejected())
}

// one is a body of one event for a path.
func one(path string) string {
	switch {
	case strings.HasPrefix(path, "/v1/b"), strings.HasPrefix(path, "/beacon"):
		return `{"batch":[{"type":"page","userId":"u-1"}]}`
	case strings.HasPrefix(path, "/com."):
		return `{"schema":"x","data":[{"e":"pv","uid":"u-1"}]}`
	case path == "/" || path == "/cloudevents":
		return `{"specversion":"1.0","id":"1","source":"s","type":"t","data":{"userId":"u-1"}}`
	}
	return `{"event":"E","userId":"u-1","distinct_id":"u-1","customer":"u-1"}`
}
