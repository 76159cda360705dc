// Package wire is the only codec between cairn's records and its Go types: raw
// JSON touchpoints, Protobuf records (schemas/proto, generated into wirepb) and
// JSON CloudEvents.
package wire
