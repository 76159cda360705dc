// Package tracker holds cairn.js, the tracker for browsers, and serves it. Its
// source is in src; dist is committed, so that Go alone can build cairn: run
// "make generate" after a change, "make check" sees to it that dist fits the
// source. docs/tracker.md is its page.
package tracker

import _ "embed" // for the script

//go:embed dist/cairn.js
var script []byte

// Script is cairn.js as browsers get it, not compressed.
func Script() []byte { return append([]byte(nil), script...) }
