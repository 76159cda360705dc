// Package sink carries the derived topics of a namespace into ClickHouse.
//
// It reads committed records, gathers them in columnar batches per table and
// partition value, inserts these, and commits the offsets after that. All rows are
// idempotent (the highest revision of a key counts), so a record that is read
// twice, by a restarted sink or by two at once, changes nothing.
//
// A record that cannot be decoded, and a row that ClickHouse refuses, go whole into
// the table rejected with a reason that begins with sink_; nothing stops a
// partition. While ClickHouse is away the sink retries, stops fetching once a
// batch is full, and says so in Ready; the lag in Kafka grows and comes back.
package sink
