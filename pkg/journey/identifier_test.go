package journey_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnhq/cairn/pkg/journey"
)

// blocked is D3 to the letter.
func blocked(value string) bool {
	value = strings.TrimSpace(value)
	if strings.Trim(value, "0-") == "" {
		return true
	}
	switch strings.ToLower(value) {
	case "null", "nil", "none", "nan", "undefined", "unknown", "anonymous", "n/a", "na", "true", "false", "-1", "[object object]":
		return len(value) <= len("[object object]")
	}
	return false
}

func TestBlocked(t *testing.T) {
	words := []string{"null", "NIL", "None", "nan", "undefined", "Unknown", "ANONYMOUS", "n/a", "na", "true", "False", "-1", "[Object object]", "0", "-", "00-00"}
	for _, w := range words {
		require.True(t, journey.Blocked(w), w)
		require.True(t, journey.Blocked(" "+w+"\n"), w)
		require.Equal(t, strings.Trim(w, "0-") == "", journey.Blocked(w+"0"), w)
	}
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.String(), rapid.StringMatching(`[0-]{0,40}[a0-]?`), rapid.SampledFrom(words), rapid.StringMatching(`\s?[nNuUaAtTfF\[\-;{KİK][a-zA-Z/ 1\]K]{0,15}\s?`)).Draw(t, "value")
		require.Equal(t, blocked(value), journey.Blocked(value), "%q", value)
	})
}
