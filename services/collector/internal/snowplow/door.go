package snowplow

import (
	"net/http"

	"github.com/cairnhq/cairn/services/collector/internal/door"
)

// TrackerPath is where trackers send their payloads; its last segment is the
// version of the protocol.
const TrackerPath = "/com.snowplowanalytics.snowplow/*"

// Options of the door.
type Options struct {
	// Paths are further ones, /vendor/version, for trackers with another post
	// path (postPath).
	Paths []string
	// DefaultSource is whose the events without any write key are; "": they are
	// refused.
	DefaultSource string
}

// Door is that of Snowplow's trackers.
func Door(o Options) door.Door {
	both := []string{http.MethodGet, http.MethodPost}
	routes := []door.Route{{Path: TrackerPath, Methods: both}, {Path: "/i", Methods: []string{http.MethodGet}}}
	for _, path := range o.Paths {
		routes = append(routes, door.Route{Path: path, Methods: both})
	}
	return door.Door{
		Name: "snowplow", Routes: routes, Source: o.DefaultSource,
		New:    func() door.Request { return new(Request) },
		Key:    door.QueryKey,
		Answer: answers{},
	}
}
