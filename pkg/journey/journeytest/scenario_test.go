package journeytest_test

import (
	"testing"

	"github.com/cairnhq/cairn/pkg/journey/journeytest"
)

// The brute-force model tells the same stories as any engine must.
func TestScenarios(t *testing.T) {
	journeytest.RunScenarios(t, "../testdata/scenarios", journeytest.BatchEngine)
}
