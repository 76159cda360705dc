// Package stream is cairn's use of Kafka: client construction (client.go), the
// topics of a namespace (topics.go), and the exactly-once step (step.go) with its
// partitions (assign.go), transactions (transaction.go), state (store.go) and
// restore (restore.go).
package stream
