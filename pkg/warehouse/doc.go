// Package warehouse is cairn's side of ClickHouse: it opens connections, applies
// the DDL of schemas/clickhouse, writes rows in columnar batches and verifies
// what the stream produced.
//
// A namespace is three databases: the tables in its own name, the views for
// people in NAME_bi, the console's parameterised views in NAME_api. All rows are
// idempotent (ReplacingMergeTree by revision), so every write may be repeated.
package warehouse
