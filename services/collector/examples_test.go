package collector_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/wire"
	schemas "github.com/cairnhq/cairn/schemas/jsonschema"
	"github.com/cairnhq/cairn/services/collector"
)

const examplesDir = "../../schemas/examples"

// example is a request in a protocol, and what becomes of it. What differs from
// run to run stands there as (arrival) and (minted).
type example struct {
	Note    string `json:"note"`
	Request struct {
		Method  string            `json:"method"`
		Path    string            `json:"path"`
		Headers map[string]string `json:"headers,omitempty"`
		Body    json.RawMessage   `json:"body,omitempty"`
		Text    string            `json:"text,omitempty"` // a body that is no JSON
		Gzip    bool              `json:"gzip,omitempty"`
	} `json:"request"`
	Status      int               `json:"status"`
	Answer      any               `json:"answer,omitempty"` // a text, if it is no JSON
	Headers     map[string]string `json:"headers,omitempty"`
	Touchpoints []exampleRecord   `json:"touchpoints,omitempty"`
	Rejected    []exampleRejected `json:"rejected,omitempty"`
}

type exampleRecord struct {
	Key      string `json:"key"`
	Backfill bool   `json:"backfill,omitempty"`
	Value    any    `json:"value"`
}

type exampleRejected struct {
	Reason string `json:"reason"`
	Error  string `json:"error"`
	Value  any    `json:"value"`
}

// TestExamples sends every example through the real collector. With
// CAIRN_UPDATE_EXAMPLES=1 it writes down what comes of them instead.
func TestExamples(t *testing.T) {
	schema := touchpointSchema(t)
	r := &exampleRig{start(t, func(o *collector.Options) { o.AllowedRedirects = []string{"shop.example"} }), map[[2]int64]bool{}}
	for _, protocol := range []string{"segment", "rudderstack", "posthog", "snowplow", "cloudevents", "pixel"} {
		for _, kind := range []string{"valid", "invalid"} {
			files, err := filepath.Glob(filepath.Join(examplesDir, protocol, kind, "*.json"))
			require.NoError(t, err)
			require.GreaterOrEqual(t, len(files), 3, "%s/%s", protocol, kind)
			for _, file := range files {
				var want example
				text, err := os.ReadFile(file)
				require.NoError(t, err)
				decoder := json.NewDecoder(bytes.NewReader(text))
				decoder.DisallowUnknownFields()
				require.NoError(t, decoder.Decode(&want), file)
				got := want
				r.run(&got)
				if os.Getenv("CAIRN_UPDATE_EXAMPLES") != "" {
					got.write(t, file)
					continue
				}
				for i := range got.Touchpoints {
					require.NoError(t, schema.Validate(withoutNotes(got.Touchpoints[i].Value)), file)
				}
				a, err := json.MarshalIndent(plain(t, want), "", "  ")
				require.NoError(t, err)
				b, err := json.MarshalIndent(plain(t, got), "", "  ")
				require.NoError(t, err)
				require.Equal(t, string(a), string(b), file)
				require.Equal(t, kind == "invalid", got.Status >= 400 || len(got.Rejected) > 0 || got.Headers["Cairn-Lost"] != "", "%s stands in the wrong folder", file)
				require.NotEmpty(t, want.Note, file)
			}
		}
	}
}

func touchpointSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := schemas.Files.ReadFile(schemas.Touchpoint)
	require.NoError(t, err)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource(schemas.Touchpoint, doc))
	s, err := c.Compile(schemas.Touchpoint)
	require.NoError(t, err)
	return s
}

// exampleRig knows which records earlier examples have left.
type exampleRig struct {
	*rig
	known map[[2]int64]bool // by partition and offset
}

// run makes the request and fills in what comes of it.
func (r *exampleRig) run(x *example) {
	r.t.Helper()
	body := x.Request.Text
	if len(x.Request.Body) > 0 {
		var compact bytes.Buffer
		require.NoError(r.t, json.Compact(&compact, x.Request.Body))
		body = compact.String()
	}
	sent := []string{x.Request.Path, body}
	if x.Request.Gzip {
		body = zipped(body)
	}
	headers := []string{"User-Agent", "example"}
	for name, value := range x.Request.Headers {
		headers = append(headers, name, value)
		sent = append(sent, value)
	}
	res, answer := r.exchange(x.Request.Method, x.Request.Path, body, headers...)
	x.Status, x.Answer, x.Headers = res.StatusCode, nil, nil
	switch kind := res.Header.Get("Content-Type"); {
	case strings.HasPrefix(kind, "application/json"):
		require.NoError(r.t, json.Unmarshal([]byte(answer), &x.Answer))
	case strings.HasPrefix(kind, "image/"), strings.HasPrefix(kind, "text/html"):
		x.Answer = "(" + kind + ")"
	case answer != "":
		x.Answer = answer
	}
	for _, name := range []string{"Allow", "Cairn-Lost", "Cairn-Rejected", "Location"} {
		if value := res.Header.Get(name); value != "" {
			if x.Headers == nil {
				x.Headers = map[string]string{}
			}
			x.Headers[name] = value
		}
	}
	x.Touchpoints, x.Rejected = nil, nil
	for _, rec := range r.records() {
		if at := [2]int64{int64(rec.Partition), rec.Offset}; !r.known[at] {
			r.known[at] = true
			r.note(x, rec, strings.Join(sent, "\n"))
		}
	}
	// Which partition a record without a key goes to is left to chance.
	slices.SortFunc(x.Touchpoints, func(a, b exampleRecord) int { return cmp.Compare(jsonText(r.t, a), jsonText(r.t, b)) })
	slices.SortFunc(x.Rejected, func(a, b exampleRejected) int { return cmp.Compare(jsonText(r.t, a), jsonText(r.t, b)) })
}

func jsonText(tb testing.TB, v any) string {
	tb.Helper()
	text, err := json.Marshal(v)
	require.NoError(tb, err)
	return string(text)
}

// note adds a record to the example.
func (r *exampleRig) note(x *example, rec *kgo.Record, sent string) {
	r.t.Helper()
	require.NotContains(r.t, string(rec.Value), shopKey, "a write key is never stored")
	var value any
	if json.Unmarshal(rec.Value, &value) != nil {
		value = string(rec.Value)
	}
	if reason := header(rec, wire.HeaderReason); reason != "" {
		require.Equal(r.t, "shop", header(rec, wire.HeaderSource))
		x.Rejected = append(x.Rejected, exampleRejected{reason, header(rec, wire.HeaderError), unminted(value, sent)})
		return
	}
	var read wire.Raw
	require.NoError(r.t, wire.DecodeRaw(&wire.RawRecord{Value: rec.Value, Arrival: rec.Timestamp.UnixMilli()}, &read), "%s", rec.Value)
	require.Equal(r.t, read.Key, string(rec.Key), "the device step would re-key %s", rec.Value)
	object := value.(map[string]any)
	require.WithinDuration(r.t, rec.Timestamp, arrivalOf(r.t, object), bound)
	object["receivedAt"] = "(arrival)"
	key, _ := unminted(string(rec.Key), sent).(string)
	x.Touchpoints = append(x.Touchpoints, exampleRecord{key, header(rec, wire.HeaderBackfill) != "", unminted(object, sent)})
}

func arrivalOf(tb testing.TB, touchpoint map[string]any) time.Time {
	tb.Helper()
	text, _ := touchpoint["receivedAt"].(string)
	at, err := time.Parse(time.RFC3339, text)
	require.NoError(tb, err)
	return at
}

// unminted replaces UUIDs that were not sent.
func unminted(v any, sent string) any {
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	switch t := v.(type) {
	case string:
		if uuid.MatchString(t) && !strings.Contains(sent, t) {
			return "(minted)"
		}
	case []any:
		for i := range t {
			t[i] = unminted(t[i], sent)
		}
	case map[string]any:
		for name := range t {
			t[name] = unminted(t[name], sent)
		}
	}
	return v
}

// withoutNotes is a touchpoint that a schema can look at.
func withoutNotes(v any) any {
	object, _ := v.(map[string]any)
	out := map[string]any{}
	maps.Copy(out, object)
	out["receivedAt"] = "2026-11-23T07:00:02.000Z"
	return out
}

// plain is an example as JSON decodes it.
func plain(t *testing.T, x example) (out any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(jsonText(t, x)), &out))
	return out
}

func (x *example) write(t *testing.T, file string) {
	t.Helper()
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	require.NoError(t, encoder.Encode(x))
	require.NoError(t, os.WriteFile(file, b.Bytes(), 0o600))
}
