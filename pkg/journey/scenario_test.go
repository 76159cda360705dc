package journey_test

import (
	"testing"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/journey/journeytest"
)

// Can implements journeytest.Capable. History before a link stays with the
// identifier here; the warehouse resolves it at query time.
func (e *engine) Can(feature string) bool {
	switch feature {
	case "handoff", "alias", "friction":
		return false
	}
	return true
}

// TestScenarios tells the stories of testdata with the streaming core, losing
// all decoded state after every touchpoint.
func TestScenarios(t *testing.T) {
	journeytest.RunScenarios(t, "testdata/scenarios", func(m *journey.Model) journeytest.Engine { return newEngine(m, 1, true) })
}
