// Package jsonschema holds the JSON Schemas (draft 2020-12) of what people write:
// the raw touchpoint and the tracking plan. Files refer to each other by name.
package jsonschema

import "embed"

// Files holds *.json.
//
//go:embed *.json
var Files embed.FS

// Names of the files.
const (
	Touchpoint   = "touchpoint.json"
	TrackingPlan = "tracking-plan.json"
)
