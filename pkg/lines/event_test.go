package lines_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/lines"
)

func TestTheOwnersSourceCounts(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{`{"type":"page","messageId":"m","userId":"u"}`, `{"type":"page","messageId":"m","userId":"u","source":"till"}`},
		{`{"type":"page","messageId":"m","userId":"u","source":"till"}`, `{"type":"page","messageId":"m","userId":"u","source":"till"}`},
		{`{"type":"page","messageId":"m","userId":"u","source":"web"}`, `{"type":"page","messageId":"m","userId":"u","source":"till","context":{"source":"web"}}`},
		{
			`{"type":"page","messageId":"m","userId":"u","source":"web","context":{"source":"x","ip":"203.0.113.77"}}`,
			`{"type":"page","messageId":"m","userId":"u","source":"till","context":{"source":"x","ip":"203.0.113.0"}}`,
		},
		{`{"type":"page","messageId":"m","userId":"u","source":"web","context":7}`, `{"type":"page","messageId":"m","userId":"u","source":"till","context":7}`},
	} {
		got, key, err := lines.Event([]byte(c.line), lines.Options{Source: "till", Owned: true})
		require.NoError(t, err, c.line)
		require.JSONEq(t, c.want, string(got))
		require.Equal(t, "u", string(key))
	}
}

func TestAnIDThatCannotBeMadeIsNoBadLine(t *testing.T) {
	gone := errors.New("gone")
	_, _, err := lines.Event([]byte(`{"type":"page","userId":"u"}`), lines.Options{ID: func() (string, error) { return "", gone }, Received: time.Now()})
	require.ErrorIs(t, err, gone)
	var bad *lines.Error
	require.NotErrorAs(t, err, &bad)
}

// TestALineThatWasCutOffIsNone: an error beneath is no end of a line.
func TestALineThatWasCutOffIsNone(t *testing.T) {
	gone := errors.New("gone")
	r, err := lines.NewReader(io.MultiReader(strings.NewReader("\ufeffone\r\ntwo"), iotest.ErrReader(gone)))
	require.NoError(t, err)
	line, err := r.Next(nil)
	require.NoError(t, err)
	require.Equal(t, "one", string(line))
	_, err = r.Next(nil)
	require.ErrorIs(t, err, gone)
}

func TestALongLineIsSkipped(t *testing.T) {
	text := strings.Repeat("x", lines.MaxLine+2) + "\n" + strings.Repeat("y", lines.MaxLine) + "\nz"
	r, err := lines.NewReader(strings.NewReader(text))
	require.NoError(t, err)
	_, err = r.Next(nil)
	require.ErrorIs(t, err, lines.ErrTooLong)
	line, err := r.Next(nil)
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(line, []byte("y")))
	line, err = r.Next(line)
	require.NoError(t, err)
	require.Equal(t, "z", string(line))
	_, err = r.Next(line)
	require.ErrorIs(t, err, io.EOF)
	require.EqualValues(t, len(text), r.Bytes)
}
