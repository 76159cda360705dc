package jsonschema_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	validator "github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"pgregory.net/rapid"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/testbed"
	"github.com/cairnhq/cairn/pkg/wire"
)

func loadAsyncAPI(t *testing.T) map[string]any {
	t.Helper()
	text, err := os.ReadFile("../asyncapi.yaml")
	require.NoError(t, err)
	var value any
	require.NoError(t, yaml.Unmarshal(text, &value))
	raw, err := json.Marshal(value)
	require.NoError(t, err)
	var doc map[string]any
	require.NoError(t, json.Unmarshal(raw, &doc))
	require.Equal(t, "3.0.0", doc["asyncapi"])
	return doc
}

// dig walks down objects.
func dig(t *testing.T, at any, path ...string) any {
	t.Helper()
	for i, name := range path {
		object, ok := at.(map[string]any)
		require.True(t, ok, "%v is no object", path[:i])
		require.Contains(t, object, name, "%v", path[:i])
		at = object[name]
	}
	return at
}

// TestAsyncAPIHasEveryTopic: the document's topics are those that cairn makes, with
// the configuration that it gives them.
func TestAsyncAPIHasEveryTopic(t *testing.T) {
	cl, err := stream.NewClient(testbed.Fake(t), "test", nil, nil)
	require.NoError(t, err)
	t.Cleanup(cl.Close)
	require.NoError(t, stream.EnsureTopics(t.Context(), cl, "cairn", stream.TopicOptions{Replication: 1}))
	var full, documented []string
	for _, name := range stream.AllTopics() {
		full = append(full, stream.Qualify("cairn", name))
	}
	configs, err := kadm.NewClient(cl).DescribeTopicConfigs(t.Context(), full...)
	require.NoError(t, err)
	made := map[string]map[string]string{}
	for _, c := range configs {
		require.NoError(t, c.Err)
		made[c.Name] = map[string]string{}
		for _, v := range c.Configs {
			made[c.Name][v.Key] = v.MaybeValue()
		}
	}
	for id, c := range dig(t, loadAsyncAPI(t), "channels").(map[string]any) {
		address := strings.ReplaceAll(dig(t, c, "address").(string), "{namespace}", "cairn")
		documented = append(documented, address)
		require.Equal(t, dig(t, c, "address"), dig(t, c, "bindings", "kafka", "topic"), id)
		require.Contains(t, made, address, "%s is no topic of cairn", id)
		config := dig(t, c, "bindings", "kafka", "topicConfiguration").(map[string]any)
		var cleanup []string
		for _, word := range config["cleanup.policy"].([]any) {
			cleanup = append(cleanup, word.(string))
		}
		want := made[address]["cleanup.policy"]
		if want == "" {
			want = "delete"
		}
		require.Equal(t, want, strings.Join(cleanup, ","), address)
		if ms, ok := config["retention.ms"]; ok {
			require.Equal(t, made[address]["retention.ms"], strconv.FormatInt(int64(ms.(float64)), 10), address)
		} else {
			require.Equal(t, "compact", want, "%s has no retention", address)
		}
		for name, m := range dig(t, c, "messages").(map[string]any) {
			require.Equal(t, "#/components/messages/"+name, dig(t, m, "$ref"), address)
		}
	}
	slices.Sort(full)
	slices.Sort(documented)
	require.Equal(t, full, documented, "schemas/asyncapi.yaml must list the topics of pkg/stream")
}

// TestAsyncAPIRefersToWhatThereIs: every reference leads somewhere, every message is
// used, and the headers are those that cairn knows.
func TestAsyncAPIRefersToWhatThereIs(t *testing.T) {
	doc := loadAsyncAPI(t)
	used := map[string]bool{}
	var walk func(at any)
	walk = func(at any) {
		switch v := at.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				checkRef(t, doc, ref)
				used[ref] = true
			}
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(doc)
	headers := []string{
		wire.HeaderType, wire.HeaderOrigin, wire.HeaderReceivedAt, wire.HeaderBackfill, wire.HeaderSource, wire.HeaderReason, wire.HeaderError,
		wire.HeaderEpoch, wire.HeaderSchema, wire.HeaderContentType, wire.HeaderReplay,
	}
	for name, m := range dig(t, doc, "components", "messages").(map[string]any) {
		require.True(t, used["#/components/messages/"+name], "no topic carries the message %s", name)
		dig(t, m, "bindings", "kafka", "key", "description")
		payload := dig(t, m, "payload").(map[string]any)
		require.NotEmpty(t, payload, name)
		if _, ok := m.(map[string]any)["headers"]; !ok {
			continue
		}
		for header := range dig(t, m, "headers", "properties").(map[string]any) {
			require.Contains(t, headers, header, "%s has a header that cairn does not know", name)
		}
	}
}

// checkRef follows a reference: into the document, to a JSON Schema, or to a message
// of a Protobuf file.
func checkRef(t *testing.T, doc map[string]any, ref string) {
	t.Helper()
	if inside, ok := strings.CutPrefix(ref, "#/"); ok {
		dig(t, doc, strings.Split(inside, "/")...)
		return
	}
	file, message, proto := strings.Cut(ref, "#cairn.v1.")
	text, err := os.ReadFile(filepath.Join("..", file))
	require.NoError(t, err, ref)
	if proto {
		require.Contains(t, string(text), "\nmessage "+message+" {", ref)
		return
	}
	compile(t, filepath.Base(file))
}

// TestPublishedEventsFitTheirSchemas: transitions and frictions as cairn writes
// them, whatever they say, and as older versions have written them.
func TestPublishedEventsFitTheirSchemas(t *testing.T) {
	transition, friction := compile(t, "transition.json"), compile(t, "friction.json")
	fits := func(t require.TestingT, s *validator.Schema, raw []byte) {
		doc, err := validator.UnmarshalJSON(strings.NewReader(string(raw)))
		require.NoError(t, err)
		require.NoError(t, s.Validate(doc), "%s", raw)
		// No member is without a description of its own.
		data, _ := doc.(map[string]any)["data"].(map[string]any)
		known := s.Properties["data"].Properties
		for _, name := range slices.Sorted(maps.Keys(data)) {
			require.Contains(t, known, name)
		}
	}
	for name, s := range map[string]*validator.Schema{"transition": transition, "friction": friction} {
		files, err := filepath.Glob("../../pkg/wire/testdata/golden/*/" + name + ".json")
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			fits(t, s, text)
		}
	}
	text, millis := rapid.String(), rapid.Int64Range(0, 4_102_444_800_000)
	rapid.Check(t, func(rt *rapid.T) {
		tr := &journey.Transition{
			Profile: text.Draw(rt, "profile"), JourneyID: text.Draw(rt, "journey"), Seq: rapid.Uint32().Draw(rt, "seq"),
			From: text.Draw(rt, "from"), To: text.Draw(rt, "to"), Direction: rapid.SampledFrom([]string{"advance", "return", "within"}).Draw(rt, "direction"),
			Skipped: rapid.SliceOfN(text, 0, 2).Draw(rt, "skipped"), AtMillis: millis.Draw(rt, "at"), EmittedMillis: millis.Draw(rt, "emitted"),
			DwellMillis: rapid.Ptr(rapid.Int64(), true).Draw(rt, "dwell"), Sentiment: rapid.Ptr(rapid.Int32Range(-200, 200), true).Draw(rt, "sentiment"),
			CampaignName: text.Draw(rt, "campaign"), Status: rapid.SampledFrom([]string{"", journey.StatusVoid}).Draw(rt, "status"),
			Revision: rapid.Uint64().Draw(rt, "revision"), Live: rapid.Bool().Draw(rt, "live"),
		}
		raw := wire.AppendTransition(nil, "shop", tr)
		fits(rt, transition, raw)
		f := &journey.Friction{
			ID: text.Draw(rt, "id"), Profile: tr.Profile, Name: tr.To, Kind: "absence", Severity: rapid.IntRange(0, 5).Draw(rt, "severity"),
			AtMillis: tr.AtMillis, EmittedMillis: tr.EmittedMillis, Status: tr.Status, Revision: tr.Revision, Live: tr.Live,
		}
		raw = wire.AppendFriction(nil, "shop", f)
		fits(rt, friction, raw)
	})
}
