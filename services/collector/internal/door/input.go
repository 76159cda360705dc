package door

import (
	"net/http"
	"net/url"
	"time"
)

// Input is one request as a door reads it. It must not be kept.
type Input struct {
	Method string
	Path   string // without a trailing slash
	Kind   string // of the Route
	Query  url.Values
	Header http.Header
	Body   []byte // decompressed; empty for GET
	// Reserve asks for memory beyond the body's size, for what a door unpacks from
	// it: n bytes more. Where it says false the door must refuse the request with
	// CodeOverloaded. It is given back when the request ends.
	Reserve func(n int64) bool
	// Carry is a door's own note from Decode to its Answerer (a cookie to set); ""
	// before Decode.
	Carry string
}

// QueryKey is a Door.Key that takes the query's writeKey.
func QueryKey(in *Input) []byte { return []byte(in.Query.Get("writeKey")) }

// Cookie is the value of the first cookie of that name, or "".
func (in *Input) Cookie(name string) string {
	c, err := (&http.Request{Header: in.Header}).Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
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
