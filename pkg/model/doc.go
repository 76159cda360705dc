// Package model compiles a journey.yaml into a journey.Model.
//
// Reading is strict: an unknown key, a name that names nothing, a duration
// without a unit or a CEL expression that does not type-check is an error with
// file, line and column, and a file's errors are reported together. What
// compiles is immutable, pure, bounded (rules, names, cost of a condition) and safe
// for concurrent use.
package model
