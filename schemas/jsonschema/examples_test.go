package jsonschema_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	validator "github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/enrich/plan"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/schemas/jsonschema"
)

// rawExample is a record of touchpoints.raw and what the device step reads.
type rawExample struct {
	Note     string          `json:"note"`
	Document json.RawMessage `json:"document,omitempty"`
	Text     string          `json:"text,omitempty"`   // what is no JSON document; base64:... for bytes
	Reason   string          `json:"reason,omitempty"` // of the reject
	Read     *rawRead        `json:"read,omitempty"`
}

type rawRead struct {
	Key           string   `json:"key"`
	Identifier    string   `json:"identifier"`
	Others        []string `json:"others,omitempty"`
	User          string   `json:"user,omitempty"`
	Type          string   `json:"type"`
	Event         string   `json:"event"`
	Actor         string   `json:"actor"`
	Channel       string   `json:"channel,omitempty"`
	Time          int64    `json:"time"`
	RevenueMicros int64    `json:"revenue_micros,omitempty"`
	MessageID     string   `json:"message_id"`
	Context       string   `json:"context,omitempty"`
}

// TestRawExamples: every valid example is fine by the schema and is read as it
// says; every other one is refused by both, for the reason it names. With
// CAIRN_UPDATE_EXAMPLES=1 what is read is written down instead.
func TestRawExamples(t *testing.T) {
	s := compile(t, jsonschema.Touchpoint)
	for _, kind := range []string{"valid", "invalid"} {
		files, err := filepath.Glob("../examples/raw/" + kind + "/*.json")
		require.NoError(t, err)
		require.Greater(t, len(files), 5)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			var x rawExample
			decoder := json.NewDecoder(bytes.NewReader(text))
			decoder.DisallowUnknownFields()
			require.NoError(t, decoder.Decode(&x), file)
			require.NotEmpty(t, x.Note, file)
			if kind == "valid" {
				checkValid(t, s, file, &x)
			} else {
				checkInvalid(t, s, file, &x)
			}
		}
	}
}

func checkValid(t *testing.T, s *validator.Schema, file string, x *rawExample) {
	t.Helper()
	doc, err := validator.UnmarshalJSON(bytes.NewReader(x.Document))
	require.NoError(t, err, file)
	require.NoError(t, s.Validate(doc), file)
	var value bytes.Buffer
	require.NoError(t, json.Compact(&value, x.Document))
	var raw wire.Raw
	require.NoError(t, wire.DecodeRaw(&wire.RawRecord{Value: value.Bytes(), Partition: 3, Offset: 1042, Arrival: 1_795_453_500_000}, &raw), file)
	tp := &raw.Touchpoint
	read := &rawRead{
		raw.Key, tp.Identifier, tp.Others, tp.UserID, tp.Type, tp.Event, tp.Actor, tp.Channel, tp.Time, tp.RevenueMicros, tp.MessageID, tp.Context,
	}
	if os.Getenv("CAIRN_UPDATE_EXAMPLES") != "" {
		x.Read = read
		out, err := json.MarshalIndent(x, "", "  ")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(file, append(out, '\n'), 0o600))
		return
	}
	require.Equal(t, x.Read, read, file)
}

func checkInvalid(t *testing.T, s *validator.Schema, file string, x *rawExample) {
	t.Helper()
	value := []byte(x.Text)
	if coded, ok := strings.CutPrefix(x.Text, "base64:"); ok {
		var err error
		value, err = base64.StdEncoding.DecodeString(coded)
		require.NoError(t, err)
	}
	if len(x.Document) > 0 {
		value = x.Document
		doc, err := validator.UnmarshalJSON(bytes.NewReader(value))
		require.NoError(t, err, file)
		require.Error(t, s.Validate(doc), file)
	}
	var raw wire.Raw
	err := wire.DecodeRaw(&wire.RawRecord{Value: value}, &raw)
	var refused *wire.RawError
	require.ErrorAs(t, err, &refused, file)
	require.Equal(t, x.Reason, refused.Reason, file)
}

// The tracking plan's own example is one that is read.
func TestTrackingPlanExamples(t *testing.T) {
	s := compile(t, jsonschema.TrackingPlan)
	require.Len(t, s.Examples, 1)
	require.NoError(t, s.Validate(s.Examples[0]))
	text, err := json.Marshal(s.Examples[0])
	require.NoError(t, err)
	_, err = plan.Parse(text, "plan.json")
	require.NoError(t, err)
}
