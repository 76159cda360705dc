// Package rudder is what RudderStack's SDKs need beside Segment's paths
// (package segment): the beacon of pages that close, the pixel, and the
// configuration that browsers and phones ask for before they send.
package rudder

import (
	"net/http"

	"github.com/cairnhq/cairn/services/collector/internal/door"
	"github.com/cairnhq/cairn/services/collector/internal/pixel"
	"github.com/cairnhq/cairn/services/collector/internal/segment"
)

// Door is RudderStack's own paths.
func Door() door.Door {
	get := []string{http.MethodGet}
	return door.Door{
		Name: "rudder",
		Routes: []door.Route{
			{Path: "/beacon/v1/batch"},
			{Path: "/pixel/v1/track", Methods: get, Kind: "track", Single: true},
			{Path: "/pixel/v1/page", Methods: get, Kind: "page", Single: true},
			{Path: "/sourceConfig", Methods: get, Serve: sourceConfig},
		},
		New:    func() door.Request { return new(Request) },
		Key:    door.QueryKey,
		Answer: answers{},
	}
}

// answers are OK for beacons and an image for pixels, which is sent whatever
// became of the event: what fails to load is a hole in a page. The status tells.
type answers struct{ door.JSON }

// Accepted answers 200.
func (answers) Accepted(w http.ResponseWriter, in *door.Input, rejects []*door.Reject) {
	if in.Kind == "" {
		segment.AnswerOK(w, rejects)
		return
	}
	pixel.WriteGIF(w, http.StatusOK)
}

// Refused answers with the refusal's status.
func (a answers) Refused(w http.ResponseWriter, in *door.Input, r *door.Refusal) {
	if in.Kind == "" {
		a.JSON.Refused(w, in, r)
		return
	}
	w.Header().Set("Cairn-Lost", r.Code)
	pixel.WriteGIF(w, r.Status)
}

type source struct {
	ID           string     `json:"id"`
	Name         string     `json:"name"`
	WriteKey     string     `json:"writeKey"`
	WorkspaceID  string     `json:"workspaceId"`
	Enabled      bool       `json:"enabled"`
	UpdatedAt    string     `json:"updatedAt"` // phones keep the configuration by it
	Config       struct{}   `json:"config"`    // without statsCollection: the SDK reports nothing about itself
	Destinations []struct{} `json:"destinations"`
}

// sourceConfig answers what SDKs ask their control plane for: a source that is
// on and has no destination of its own. Data goes to the data plane URL that the
// SDK was loaded with. The key is not checked: a wrong one is told when it is
// used.
func sourceConfig(w http.ResponseWriter, r *http.Request) {
	key, _, basic := r.BasicAuth()
	if !basic {
		key = r.URL.Query().Get("writeKey")
	}
	w.Header().Set("Cache-Control", "no-store") // it names the key
	door.WriteJSON(w, http.StatusOK, map[string]any{
		"isHosted": false,
		"source": source{
			ID: "cairn", Name: "cairn", WriteKey: key, WorkspaceID: "cairn", Enabled: true,
			UpdatedAt: "2026-01-01T00:00:00.000Z", Destinations: []struct{}{},
		},
	})
}
