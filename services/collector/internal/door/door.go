// Package door is what the collector's front doors have in common: each protocol
// is a package beside this one that reads its requests into raw touchpoints
// (docs/touchpoints.md). Doors do no I/O and keep nothing between requests; the
// collector checks keys, limits and rates, sends the records to Kafka, and then
// asks the door for the answer that its clients expect. Package doors lists them.
package door

import (
	"net/http"
	"time"
)

// Door is one protocol. Its functions are called by many requests at once.
type Door struct {
	Name   string // label of metrics, word of docs
	Routes []Route
	New    func() Request // a Request to be used again and again
	// Key is the write key that a request carries beside HTTP Basic, which every
	// door takes and which comes first, and beside its body (Request.WriteKey),
	// which comes last; nil: none. An empty key counts as absent.
	Key func(in *Input) []byte
	// Source is whose the events of requests without any key are; "": 401.
	Source string
	// Preflight may add to the answer to OPTIONS; nil: nothing to add.
	Preflight func(answer http.Header, r *http.Request)
	// Answer writes the protocol's own answers; nil: JSON.
	Answer Answerer
}

// Route is one path of a door. Two doors may share a path, not a path's method.
type Route struct {
	// Path without a trailing slash: the collector takes it with one, too. A
	// segment that is * takes any one segment.
	Path    string
	Methods []string // nil: POST. HEAD comes with the GET of a Serve
	Kind    string   // the protocol's word for what comes here, given to Decode; "" for its usual batch
	// Single says that a request holds one event: one that cannot be taken
	// decides the answer.
	Single bool
	// Patience is how long a request waits for Kafka at most, where somebody waits
	// for its answer; 0: as long as Kafka may take. After it Refused is called,
	// although the event may still arrive.
	Patience time.Duration
	// Serve answers a request that brings no events, at once: no key is asked for,
	// no body read, Kafka may be away. nil: the request brings events.
	Serve http.HandlerFunc
}

// Request is a decoded request. It aliases its Input, which does not change
// until the last Append, and is used again for another one. Not for concurrent
// use. One that is a Backfiller may say that its events are history.
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

// Backfiller is a Request whose protocol can mark events as history: the
// lateness horizon is waived for them.
type Backfiller interface {
	Backfill() bool // after Decode
}

// Signed is a Request that can prove by itself whose it is: a signature stands
// for a write key.
type Signed interface {
	// SignedBy is the source of a request whose signature was checked, asked for
	// after Decode; "": the request needs a write key.
	SignedBy() string
}

// Limits of one request. All are set.
type Limits struct {
	EventBytes int // of one event's JSON, with what the batch adds to it
	BodyBytes  int // of what is unpacked from a body
	Events     int // in one batch
	Depth      int // nested objects and arrays of one event
}

// Record is one event as it goes to Kafka.
type Record struct {
	Key    []byte // the primary identifier; nil for a rejected event
	Value  []byte // the raw touchpoint; for a rejected event its own bytes, without its write key
	Reject *Reject
}
