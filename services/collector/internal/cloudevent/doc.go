// Package cloudevent turns CloudEvents 1.0 by HTTP, in structured, binary and
// batched mode, into raw touchpoints: the data are the properties, all
// attributes stay in context.cloudevent. docs/collector.md says where names,
// identifiers and times come from.
package cloudevent
