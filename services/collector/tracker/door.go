package tracker

import (
	"net/http"

	"github.com/cairnhq/cairn/services/collector/internal/door"
)

// Door is the tracker's place among the collector's front doors: it serves the
// script. What the script sends comes in by Segment's door.
func Door() (door.Door, error) {
	h, err := Handler()
	if err != nil {
		return door.Door{}, err
	}
	get := []string{http.MethodGet}
	return door.Door{Name: "tracker", Routes: []door.Route{
		{Path: Path, Methods: get, Serve: h.ServeHTTP},
		{Path: Path + "/*", Methods: get, Serve: h.ServeHTTP},
	}}, nil
}
