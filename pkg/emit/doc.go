// Package emit is for applications that write touchpoints straight to Kafka
// instead of sending them to the collector: tills, call centres, back ends.
//
// Every touchpoint gets a messageId and the record key that cairn partitions
// by, so that sending one again changes nothing and a customer's touchpoints
// stay in order. Send returns once Kafka has acknowledged (acks=all).
package emit
