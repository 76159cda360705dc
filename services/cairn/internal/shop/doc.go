// Package shop makes up a week of an outdoor shop: what its customers do on the
// web, with its newsletter, in its stores and with its support, as events of
// Segment's API. For the first half of the week its checkout fails.
//
// A week follows from its Options alone: the same ones give the same bytes. A
// customer's events depend on the seed and the customer's number, so a week with
// more customers holds the events of one with fewer, the noise aside.
package shop
