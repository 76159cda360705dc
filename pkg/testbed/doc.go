// Package testbed gives tests a real Kafka and a real ClickHouse, each test in a namespace of its own.
//
// [Kafka] and [ClickHouse] look for a server in this order, once per test binary:
//
//  1. an external one: CAIRN_TEST_KAFKA=host:port[,host:port], CAIRN_TEST_CLICKHOUSE=clickhouse://user:pass@host:port
//     (and CAIRN_TEST_CLICKHOUSE_HTTP=http://host:port where HTTP is not on port 8123 of the same host);
//  2. a container through testcontainers-go, if a Docker engine answers;
//  3. a process on this machine (package local), on free ports, in a temporary folder, stopped when the tests end.
//
// A test that finds none is skipped with the reason; with CAIRN_TEST_REQUIRE=all it fails. Every package that
// uses them has
//
//	func TestMain(m *testing.M) { testbed.Main(m) }
package testbed
