// Package snowplow turns requests of Snowplow trackers (the tracker protocol:
// payload_data by POST, a query by GET) into raw touchpoints. All fields of the
// protocol are texts. Those that have a place in a touchpoint are moved there,
// all others stay in context.snowplow under their own names; contexts are kept
// whole. docs/collector.md has the table.
package snowplow
