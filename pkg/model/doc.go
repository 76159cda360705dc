// Package model compiles a journey.yaml into a journey.Model.
//
// Reading is strict: an unknown key, a name that names nothing, a duration
// without a unit or a CEL expression that does not type-check is an error with
// file, line and column, and a file's errors are reported together. What
// compiles is immutable, bounded (stages, rules, cost of a `where`) and safe
// for concurrent use.
package model
