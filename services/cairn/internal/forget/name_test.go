package forget_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/services/cairn/internal/forget"
)

// A kind that is written otherwise than it is stored would find nobody.
func TestKindsAreReadAsTheyAreStored(t *testing.T) {
	for text, want := range map[string]string{
		"user:42": "user:42", "User: 42 ": "user:42", "userId:42": "user:42", "anonymousId:x:y": "anonymous:x:y", "Loyalty Card:7": "loyalty_card:7",
	} {
		n, err := forget.ParseName(nil, text)
		require.NoError(t, err, text)
		require.Equal(t, want, n.Stored)
	}
}
