package jsonscan_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/services/collector/internal/jsonscan"
)

func check(data []byte) error {
	s := jsonscan.New(data)
	if _, err := s.Skip(); err != nil {
		return err
	}
	return s.End()
}

func TestSkipSaysWhereTheTextBreaks(t *testing.T) {
	for _, c := range []struct {
		text   string
		offset int
		reason string
	}{
		{``, 0, "unexpected end"},
		{`{"a":1,}`, 7, "key in quotes"},
		{`{"a" 1}`, 5, "':' is needed"},
		{`[1 2]`, 3, "',' or ']'"},
		{`[1,]`, 3, "a value is needed"},
		{`"a`, 0, "without an end"},
		{`"\x"`, 1, "invalid escape"},
		{`"\u12g4"`, 1, "invalid escape"},
		{"\"a\x01\"", 2, "control character 0x01"},
		{`01`, 1, "after the JSON value"},
		{`-`, 1, "unexpected end"},
		{`1.x`, 2, "in a number"},
		{`1e`, 2, "unexpected end"},
		{`nul`, 0, "a value is needed"},
		{`NaN`, 0, "a value is needed"},
		{`{} {}`, 3, "after the JSON value"},
		{strings.Repeat("[", 300), 300, "unexpected end"},
		{strings.Repeat("[", 300) + "]}", 301, "',' or ']'"},
	} {
		err := check([]byte(c.text))
		var syntax *jsonscan.SyntaxError
		require.ErrorAs(t, err, &syntax, c.text)
		require.Equal(t, c.offset, syntax.Offset, c.text)
		require.Contains(t, syntax.Reason, c.reason, c.text)
	}
}

func TestDeepestIsMeasuredPerValue(t *testing.T) {
	s := jsonscan.New([]byte(`[{"a":[1]},2]`))
	require.NoError(t, s.Open('['))
	_, err := s.Element(true)
	require.NoError(t, err)
	s.ResetDeepest()
	_, err = s.Skip()
	require.NoError(t, err)
	require.Equal(t, 2, s.Deepest()-s.Depth())
	_, err = s.Element(false)
	require.NoError(t, err)
	s.ResetDeepest()
	_, err = s.Skip()
	require.NoError(t, err)
	require.Zero(t, s.Deepest()-s.Depth())
}

// TestWhatIsNestedDeepIsWalkedInLittleMemory: an event like that must not make its
// batch unreadable.
func TestWhatIsNestedDeepIsWalkedInLittleMemory(t *testing.T) {
	for _, unit := range []string{"[", `{"a":`, `[1,{"b":2,"a":[`} {
		closing := strings.NewReplacer("[", "]", "{", "}").Replace(strings.Map(func(r rune) rune {
			if r == '[' || r == '{' {
				return r
			}
			return -1
		}, unit))
		backwards := []byte(closing)
		slices.Reverse(backwards)
		const times = 100_000
		text := []byte("[" + strings.Repeat(unit, times) + `7` + strings.Repeat(string(backwards), times) + ",8]")
		s := jsonscan.New(text)
		require.NoError(t, s.Open('['))
		_, err := s.Element(true)
		require.NoError(t, err)
		s.ResetDeepest()
		deep, err := s.Skip()
		require.NoError(t, err, unit)
		require.Len(t, deep.In(text), len(text)-4)
		require.Equal(t, times*len(closing), s.Deepest()-s.Depth())
		more, err := s.Element(false)
		require.NoError(t, err)
		require.True(t, more)
	}
}

// FuzzAgainstEncodingJSON holds the scanner to the standard library's verdict
// and its unquoting to the standard library's.
func FuzzAgainstEncodingJSON(f *testing.F) {
	for _, s := range []string{
		`{}`, `[]`, `"a\ud83d\ude00\ud800x\n\/"`, `-0.5e+10`, ` { "a" : [ 1 , true , null ] } `, `{"a":{"b":[{}]}}`,
		`"\ud800\ud800"`, `0x1`, `[,]`, `{"a":}`, "\"\u2028\"", `tru`, "\xff", `"` + "\xff" + `"`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		err := check(data)
		if strings.Count(string(data), "[")+strings.Count(string(data), "{") > 10_000 {
			return // the standard library's bound
		}
		if valid := json.Valid(data); valid != (err == nil) {
			t.Fatalf("json.Valid says %v, the scanner %v: %q", valid, err, data)
		}
		var want string
		if err != nil || json.Unmarshal(data, &want) != nil || !utf8.Valid(data) {
			return
		}
		raw := []byte(strings.Trim(string(data), " \t\r\n"))
		if raw[0] != '"' { // null decodes to "" as well
			return
		}
		got := string(jsonscan.Unquote(raw, nil))
		if got != want {
			t.Fatalf("%q unquotes to %q, want %q", raw, got, want)
		}
		var back string
		if err := json.Unmarshal(jsonscan.AppendQuoted(nil, got), &back); err != nil || back != got {
			t.Fatalf("%q does not survive quoting: %q, %v", got, back, err)
		}
	})
}
