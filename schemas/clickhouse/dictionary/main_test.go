package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// The page in the tree is what the comments say now.
func TestThePageIsUpToDate(t *testing.T) {
	list, err := views()
	require.NoError(t, err)
	require.Greater(t, len(list), 25)
	have, err := os.ReadFile("../../../docs/data-dictionary.md")
	require.NoError(t, err)
	require.Equal(t, head+page(list), string(have), `run "make generate"`)
}

func TestAColumnWithoutCommentIsRefused(t *testing.T) {
	_, err := readView("v", "\n    a String COMMENT 'It''s a',\n    b String", " SELECT 1\nCOMMENT 'V'")
	require.ErrorContains(t, err, "b String")
	_, err = readView("v", "\n    a String COMMENT 'A'", " SELECT 1")
	require.ErrorContains(t, err, "COMMENT")
	v, err := readView("v", "\n    a DateTime64(3, 'UTC') COMMENT 'It''s a'", " SELECT 1\nCOMMENT 'V'")
	require.NoError(t, err)
	require.Equal(t, view{"v", "V", []column{{"a", "DateTime64(3, 'UTC')", "It's a"}}}, v)
}
