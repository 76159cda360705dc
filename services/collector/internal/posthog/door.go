// Package posthog turns requests of PostHog's capture API into raw touchpoints.
// How a distinct_id becomes a visitor or a user stands in identity.go and in
// docs/collector.md.
package posthog

import (
	"net/http"

	"github.com/cairnhq/cairn/services/collector/internal/door"
)

// kindEngage is the Kind of the path where events without a name are those of
// people: what they set is a person's properties.
const kindEngage = "engage"

// Door is PostHog's capture API.
func Door() door.Door {
	both := []string{http.MethodGet, http.MethodPost}
	d := door.Door{
		Name:   "posthog",
		New:    func() door.Request { return new(Request) },
		Key:    queryKey,
		Answer: answers{},
		Routes: []door.Route{
			{Path: "/engage", Methods: both, Kind: kindEngage},
			{Path: "/flags", Methods: both, Serve: flags},
			{Path: "/decide", Methods: both, Serve: decide},
			{Path: "/array/*/config", Methods: []string{http.MethodGet}, Serve: config},
			{Path: "/array/*/config.js", Methods: []string{http.MethodGet}, Serve: configScript},
		},
	}
	for _, path := range []string{"/batch", "/e", "/capture", "/track", "/i/v0/e"} {
		d.Routes = append(d.Routes, door.Route{Path: path, Methods: both})
	}
	return d
}

func queryKey(in *door.Input) []byte {
	for _, name := range [...]string{"api_key", "token"} {
		if key := in.Query.Get(name); key != "" {
			return []byte(key)
		}
	}
	return nil
}
