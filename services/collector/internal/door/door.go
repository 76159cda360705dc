// Package door is what the collector's front doors have in common: each protocol
// is a package beside this one that reads its requests into raw touchpoints
// (docs/touchpoints.md). Doors do no I/O and keep nothing between requests; the
// collector checks keys, limits and rates, sends the records to Kafka, and then
// asks the door for the answer that its clients expect.
package door

import (
	"net/http"
	"net/url"
	"time"
)

// Door is one protocol.
type Door struct {
	Name   string // label of metrics, word of docs
	Routes []Route
	New    func() Request // a Request to be used again and again
	// Key is the write key that a request carries outside its body; present tells
	// an unreadable one from none. nil: HTTP Basic.
	Key func(*http.Request) (key []byte, present bool)
	// Answer writes the protocol's own answers; nil: Segment's, as Package
	// collector writes them.
	Answer Answerer
}

// Route is one path of a door.
type Route struct {
	Path    string // exact, without a trailing slash: the collector takes it with one, too. An ending /* takes any one further segment
	Methods []string
	Kind    string // the protocol's word for what comes here, given to Decode; "" for its usual batch
	// Single says that a request holds one event: one that cannot be taken
	// decides the answer.
	Single bool
}

// Answerer writes a protocol's answers. Safe for concurrent use.
type Answerer interface {
	// Accepted is called when Kafka has every event of the request; rejects are
	// those that were taken for touchpoints.rejected only.
	Accepted(w http.ResponseWriter, in *Input, rejects []*Reject)
	// Refused is called when the request was not taken, or its only event is bad.
	// Retry-After, CORS and Connection are set before.
	Refused(w http.ResponseWriter, in *Input, r *Refusal)
}

// Refusal is an answer that takes nothing.
type Refusal struct {
	Status  int // what the collector would answer; a door may have its own
	Code    string
	Message string
	Pointer string // JSON pointer into the body, or ""
}

// Input is one request as a door reads it. It must not be kept.
type Input struct {
	Method string
	Path   string // without a trailing slash
	Kind   string // of the Route
	Query  url.Values
	Header http.Header
	Body   []byte // decompressed; empty for GET
}

// Limits of one request. All are set.
type Limits struct {
	EventBytes int // of one event's JSON, with what the batch adds to it
	Events     int // in one batch
	Depth      int // nested objects and arrays of one event
}

// Request is a decoded request. It aliases its Input, which must not change
// until the last Append, and may be used again for another one. Not for
// concurrent use.
type Request interface {
	// Decode reads the request. A reject refuses it as a whole; events that cannot
	// be taken for themselves are found by Append.
	Decode(in *Input, limits Limits) *Reject
	// WriteKey is the key that the body names, or nil. It may be asked for after
	// Decode has failed.
	WriteKey() []byte
	// Len is the number of events.
	Len() int
	// Append makes the record of event i. Key and Value are appended to dst, which
	// is returned; they alias it, or the memory it had before it grew.
	Append(i int, m *Meta, dst []byte) (Record, []byte)
}

// Meta is what the collector knows about a request beside its body. Not for
// concurrent use.
type Meta struct {
	ReceivedAt time.Time
	Source     string
	IP         string // truncated; set on events without one; "" for none
	UserAgent  string // set on events without one; "" for none

	received []byte // ReceivedAt as it is written, made once
}

// ReceivedText is ReceivedAt as a JSON string.
func (m *Meta) ReceivedText() []byte {
	if m.received == nil {
		m.received = m.ReceivedAt.UTC().AppendFormat(nil, `"2006-01-02T15:04:05.000Z"`)
	}
	return m.received
}

// Record is one event as it goes to Kafka.
type Record struct {
	Key    []byte // the primary identifier; nil for a rejected event
	Value  []byte // the raw touchpoint; for a rejected event its own bytes
	Reject *Reject
}
