package wire

import (
	"bytes"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// TestDeepJSON: the parser uses the stack, 128 MB of it for a megabyte of brackets.
func TestDeepJSON(t *testing.T) {
	v := append([]byte(`{"type":"page","anonymousId":"a","properties":`), bytes.Repeat([]byte("["), 1_000_000)...)
	err := DecodeRaw(&RawRecord{Value: v}, &Raw{})
	require.ErrorContains(t, err, "nested deeper")
	flat := append([]byte(`{"type":"page","anonymousId":"a","properties":{"text":"`), bytes.Repeat([]byte(`[\"`), 300)...)
	require.NoError(t, DecodeRaw(&RawRecord{Arrival: 1e12, Value: append(flat, `"}}`...)}, &Raw{}), "brackets in a text are none")
}

// TestKindRune: a kind that is cut stays valid text.
func TestKindRune(t *testing.T) {
	var raw Raw
	err := DecodeRaw(&RawRecord{Arrival: 1e12, Value: []byte(`{"type":"page","anonymousId":"a","externalIds":[{"type":"aжжжжжжжжжжжжжжжжжжжж","id":"x"}]}`)}, &raw)
	if err != nil || !utf8.ValidString(raw.Touchpoint.Others[0]) {
		t.Errorf("%v %q", err, raw.Touchpoint.Others)
	}
}
