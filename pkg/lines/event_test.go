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
		{ // of members with one name readers take the last
			`{"type":"page","messageId":"m","userId":"u","source":"a","s\u006furce":"victim","source":"web","context":{"ip":"203.0.113.1"},"context":{"ip":"203.0.113.77","ip":"203.0.113.78"}}`,
			`{"type":"page","messageId":"m","userId":"u","source":"till","context":{"source":"web","ip":"203.0.113.0"}}`,
		},
		{`{"type":"page","messageId":"m","userId":"u","context":{"ip":["203.0.113.77"]}}`, `{"type":"page","messageId":"m","userId":"u","source":"till","context":{}}`},
		{`{"type":"page","messageId":"m","userId":"u","context":{"ip":"203.0.113.77, 10.0.0.1"}}`, `{"type":"page","messageId":"m","userId":"u","source":"till","context":{}}`},
		{`{"type":"page","messageId":"m","userId":"u","source":"web","context":7}`, `{"type":"page","messageId":"m","userId":"u","source":"till","context":7}`},
	} {
		got, key, err := lines.Event([]byte(c.line), lines.Options{Source: "till", Owned: true})
		require.NoError(t, err, c.line)
		require.JSONEq(t, c.want, string(got))
		require.LessOrEqual(t, bytes.Count(got, []byte(`"source"`)), 2)
		require.NotContains(t, string(got), "203.0.113.7")
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

// endless gives zeros for ever, as a packed body may.
type endless struct{ given int64 }

func (e *endless) Read(p []byte) (int, error) {
	clear(p)
	e.given += int64(len(p))
	return len(p), nil
}

// TestALineWithoutAnEndEnds: the bound is looked at within a line, too.
func TestALineWithoutAnEndEnds(t *testing.T) {
	bomb := new(endless)
	r, err := lines.NewReader(bomb)
	require.NoError(t, err)
	r.Max = 2 << 20
	ended := make(chan error, 1)
	go func() {
		_, err := r.Next(nil)
		ended <- err
	}()
	select {
	case err := <-ended:
		require.ErrorIs(t, err, lines.ErrTooMuch)
		require.Less(t, bomb.given, int64(3<<20))
	case <-time.After(10 * time.Second):
		require.Fail(t, "it reads on")
	}
}
