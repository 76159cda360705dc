package posthog

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/cairnhq/cairn/services/collector/internal/door"
)

// There are no feature flags, surveys or recordings here. SDKs ask for them all
// the same, some before they send anything, so they are told that there are none.

// flags answers /flags/?v=2.
func flags(w http.ResponseWriter, _ *http.Request) {
	none := map[string]any{}
	noStore(w)
	door.WriteJSON(w, http.StatusOK, map[string]any{
		"flags": none, "featureFlags": none, "featureFlagPayloads": none, "errorsWhileComputingFlags": false,
	})
}

// decide answers what older SDKs ask instead of flags and configuration.
func decide(w http.ResponseWriter, _ *http.Request) {
	out := remote("")
	none := map[string]any{}
	out["featureFlags"], out["featureFlagPayloads"], out["errorsWhileComputingFlags"] = none, none, false
	out["config"] = map[string]any{"enable_collect_everything": true}
	out["toolbarParams"], out["isAuthenticated"] = none, false
	noStore(w)
	door.WriteJSON(w, http.StatusOK, out)
}

// remote is the configuration of a project in which nothing but capturing is on.
func remote(token string) map[string]any {
	out := map[string]any{
		"supportedCompression": []string{"gzip", "gzip-js", "base64"},
		"hasFeatureFlags":      false, "surveys": false, "sessionRecording": false, "heatmaps": false,
		"capturePerformance": false, "autocaptureExceptions": false, "captureDeadClicks": false,
		"elementsChainAsString": true, "siteApps": []string{},
	}
	if token != "" {
		out["token"] = token
	}
	return out
}

func config(w http.ResponseWriter, r *http.Request) {
	door.Cache(w.Header())
	door.WriteJSON(w, http.StatusOK, remote(token(r)))
}

// configScript is the configuration as a script that leaves it where posthog-js
// looks.
func configScript(w http.ResponseWriter, r *http.Request) {
	name, err := json.Marshal(token(r)) // with <, > and & escaped
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	value, err := json.Marshal(map[string]any{"config": remote(token(r)), "siteApps": []string{}})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	door.Cache(h)
	h.Set("Content-Type", "application/javascript; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = fmt.Fprintf(w, "(function(w){(w._POSTHOG_REMOTE_CONFIG=w._POSTHOG_REMOTE_CONFIG||{})[%s]=%s})(window);\n", name, value)
}

// token is the project's key of the path /array/{token}/config.
func token(r *http.Request) string {
	_, rest, _ := strings.Cut(r.URL.Path, "/array/")
	name, _, _ := strings.Cut(rest, "/")
	return name
}

func noStore(w http.ResponseWriter) { w.Header().Set("Cache-Control", "no-store") }
