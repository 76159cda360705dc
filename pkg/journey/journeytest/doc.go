// Package journeytest proves the journey core. It holds three things:
//
//   - Batch, a brute-force model: the final tables as plain functions of a set
//     of touchpoints, written straight from docs/semantics.md and sharing no
//     code with the streaming algorithm it judges;
//   - GenHistory, a generator of small histories that crowd the edges: pauses of
//     exactly the gap, duplicates, shared devices, late links;
//   - RunScenarios, which runs the stories in pkg/journey/testdata/scenarios, files a
//     marketer can read, against any Engine.
//
// It is quadratic and worse on purpose, and only ever imported by tests.
package journeytest
