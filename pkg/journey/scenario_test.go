package journey_test

import (
	"testing"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/journey/journeytest"
)

// TestScenarios tells the stories of testdata with the streaming core, losing
// all decoded state after every touchpoint.
func TestScenarios(t *testing.T) {
	journeytest.RunScenarios(t, "testdata/scenarios", func(m *journey.Model) journeytest.Engine { return newEngine(m, 1, true, 1) })
}
