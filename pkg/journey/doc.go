// Package journey is the pure core of cairn: it turns touchpoints into
// sessions, links, journeys and stage transitions.
//
// It does no I/O, reads no clock, starts no goroutine and never lets map order
// reach an output: state and a record go in, state and outputs come out, so the
// same code serves live traffic, replay, backfill and tests. docs/semantics.md
// defines what the results must be; this package is how they are reached when
// touchpoints arrive in any order, any number of times.
//
// Times are Unix milliseconds (int64), durations too; money is in micro-units.
// The total order of touchpoints is (Time, MessageID, Identifier) everywhere.
//
// Nothing here is safe for concurrent use: one goroutine owns a partition's state.
package journey
