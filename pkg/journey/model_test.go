package journey_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/model"
)

// TestAssetsSignalNothing: what a page loads is counted, but is no step of the
// customer's.
func TestAssetsSignalNothing(t *testing.T) {
	m, err := model.Builtin("shop")
	require.NoError(t, err)
	page := journey.Touchpoint{Type: "page", Event: "page_viewed", Actor: journey.ActorCustomer}
	require.NotZero(t, m.Match(&page))
	page.Flags = journey.FlagAsset
	require.Zero(t, m.Match(&page))
}
