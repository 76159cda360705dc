package rudder

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/cairnhq/cairn/services/collector/internal/door"
	"github.com/cairnhq/cairn/services/collector/internal/segment"
)

// Request is a decoded request; see door.Request. All that it holds is an event,
// or a batch, of Segment's API.
type Request struct {
	segment.Request
}

// Decode reads a beacon's batch, or a pixel's query.
func (q *Request) Decode(in *door.Input, limits door.Limits) *door.Reject {
	if in.Kind == "" {
		return q.Request.Decode(in, limits)
	}
	body, err := json.Marshal(eventOf(in.Query, limits.Depth))
	if err != nil {
		return door.NewReject(door.CodeBadJSON, "The query cannot be written as JSON: "+err.Error()+".", "")
	}
	return q.Request.Decode(&door.Input{Kind: in.Kind, Header: in.Header, Body: body}, limits)
}

// eventOf is the event of a pixel's query: dots in names are levels, so that
// context.page.url is the url of the page of the context.
func eventOf(query url.Values, depth int) map[string]any {
	event := map[string]any{"channel": "web"}
	names := make([]string, 0, len(query))
	for name := range query {
		names = append(names, name)
	}
	slices.Sort(names) // so that the same query makes the same event
	for _, name := range names {
		if name != "writeKey" {
			put(event, strings.ToValidUTF8(name, "\uFFFD"), strings.ToValidUTF8(query.Get(name), "\uFFFD"), depth)
		}
	}
	return event
}

// put sets a value at a path. A path that leads through a text, or deeper than
// an event may be, is taken as a name.
func put(event map[string]any, path, value string, depth int) {
	at := event
	steps := strings.Split(path, ".")
	if len(steps) > depth {
		event[path] = value
		return
	}
	for _, step := range steps[:len(steps)-1] {
		next, isMap := at[step].(map[string]any)
		if _, taken := at[step]; taken && !isMap {
			event[path] = value
			return
		}
		if !isMap {
			next = map[string]any{}
			at[step] = next
		}
		at = next
	}
	at[steps[len(steps)-1]] = value
}
