package collector

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A file that is being written is not taken for one that says less.
func TestAFileThatIsBeingWrittenIsNotTaken(t *testing.T) {
	w := &watchedFile{path: filepath.Join(t.TempDir(), "keys.yaml")}
	write := func(text string) { require.NoError(t, os.WriteFile(w.path, []byte(text), 0o600)) }
	look := func(now bool) string {
		text, changed, err := w.look(now)
		require.NoError(t, err)
		if !changed {
			return "unchanged"
		}
		return string(text)
	}
	write("one")
	text, err := w.open()
	require.NoError(t, err)
	require.Equal(t, "one", string(text))
	require.Equal(t, "unchanged", look(false))
	write("") // truncated
	require.Equal(t, "unchanged", look(false))
	write("tw") // in parts
	require.Equal(t, "unchanged", look(false))
	write("two")
	require.Equal(t, "unchanged", look(false))
	require.Equal(t, "two", look(false))
	require.Equal(t, "unchanged", look(false))
	write("three")
	require.Equal(t, "three", look(true), "who asks for it has finished writing")
	require.NoError(t, os.Remove(w.path))
	_, changed, _ := w.look(false)
	require.False(t, changed)
	_, changed, err = w.look(false)
	require.True(t, changed)
	require.ErrorIs(t, err, os.ErrNotExist)
	_, changed, _ = w.look(false)
	require.False(t, changed, "it is told once")
}
