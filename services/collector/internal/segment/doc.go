// Package segment turns requests of the Segment HTTP tracking API into raw
// touchpoints: Request.Decode walks a body once and remembers where things are,
// Request.Append copies one event out, with the fields that are cairn's to set.
// Members that cairn does not know are copied byte by byte.
package segment
