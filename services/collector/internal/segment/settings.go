package segment

import (
	"net/http"
	"strings"

	"github.com/cairnhq/cairn/services/collector/internal/door"
)

// integration is what the browser SDK needs to know of its one destination.
type integration struct {
	APIKey             string `json:"apiKey"`
	APIHost            string `json:"apiHost"` // with the path, without the protocol
	Protocol           string `json:"protocol"`
	AddBundledMetadata bool   `json:"addBundledMetadata"`
}

type allowed struct {
	Enabled      bool     `json:"enabled"`
	Integrations struct{} `json:"integrations"`
}

// sourceSettings are what Segment's CDN tells the browser SDK about a source.
type sourceSettings struct {
	Integrations map[string]integration        `json:"integrations"`
	Plan         map[string]map[string]allowed `json:"plan"`
	Metrics      struct {
		SampleRate int `json:"sampleRate"` // 0: the SDK sends nothing about itself
	} `json:"metrics"`
	EdgeFunction         struct{}   `json:"edgeFunction"`
	MiddlewareSettings   struct{}   `json:"middlewareSettings"`
	EnabledMiddleware    struct{}   `json:"enabledMiddleware"`
	RemotePlugins        []struct{} `json:"remotePlugins"`
	LegacyVideoPlugins   bool       `json:"legacyVideoPluginsEnabled"`
	AnalyticsNextEnabled bool       `json:"analyticsNextEnabled"`
}

// settings answer what analytics-next asks its CDN for before it sends: no
// destination but this collector, at the host that was asked. The key is not
// checked: a wrong one is told when it is used.
func settings(w http.ResponseWriter, r *http.Request) {
	_, rest, _ := strings.Cut(r.URL.Path, "/projects/")
	key, _, _ := strings.Cut(rest, "/")
	scheme, host := door.Origin(r)
	open := map[string]allowed{"__default": {Enabled: true}}
	out := sourceSettings{
		Integrations:         map[string]integration{"Segment.io": {APIKey: key, APIHost: host + "/v1", Protocol: scheme, AddBundledMetadata: true}},
		Plan:                 map[string]map[string]allowed{"track": open, "identify": open, "group": open},
		RemotePlugins:        []struct{}{},
		AnalyticsNextEnabled: true,
	}
	door.Cache(w.Header())
	door.WriteJSON(w, http.StatusOK, out)
}
