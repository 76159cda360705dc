package segment

import (
	"net/http"
	"strings"

	"github.com/cairnhq/cairn/services/collector/internal/door"
)

// Door is Segment's HTTP tracking API. RudderStack's SDKs write to the same
// paths: what they need beyond it is here, too.
func Door() door.Door {
	routes := []door.Route{
		{Path: "/v1/batch"},
		{Path: "/v1/b"},
		{Path: "/v1/projects/*/settings", Methods: []string{http.MethodGet}, Serve: settings},
	}
	for _, call := range []string{"track", "page", "screen", "identify", "group", "alias"} {
		routes = append(routes,
			door.Route{Path: "/v1/" + call, Kind: call, Single: true},
			door.Route{Path: "/v1/" + call[:1], Kind: call, Single: true}, // the browser SDK's
		)
	}
	return door.Door{Name: "segment", Routes: routes, New: func() door.Request { return new(Request) }, Answer: answers{}}
}

// answers are JSON, but for RudderStack's SDKs.
type answers struct{ door.JSON }

// Accepted answers 200. Neither family of SDKs looks at the body, so that
// mistaking one for the other harms nobody.
func (a answers) Accepted(w http.ResponseWriter, in *door.Input, rejects []*door.Reject) {
	if fromRudder(in.Header) {
		AnswerOK(w, rejects)
		return
	}
	a.JSON.Accepted(w, in, rejects)
}

// AnswerOK answers as RudderStack's server does. The header names what is wrong
// with a rejected event: the body has no room for it.
func AnswerOK(w http.ResponseWriter, rejects []*door.Reject) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	if len(rejects) > 0 {
		h.Set("Cairn-Rejected", rejects[0].Code)
	}
	_, _ = w.Write([]byte("OK")) // a client that has gone learns nothing
}

// fromRudder recognises RudderStack's browser and mobile SDKs by a header that
// no other SDK sends, and its Node SDK by its name, which it has from Segment's
// SDK of old. Its Python SDK cannot be told from Segment's.
func fromRudder(h http.Header) bool {
	return len(h[anonymousHeader]) > 0 || strings.HasPrefix(h.Get("User-Agent"), "analytics-node/")
}
