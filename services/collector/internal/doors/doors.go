// Package doors lists the collector's front doors.
package doors

import (
	"github.com/cairnhq/cairn/services/collector/internal/cloudevent"
	"github.com/cairnhq/cairn/services/collector/internal/door"
	"github.com/cairnhq/cairn/services/collector/internal/pixel"
	"github.com/cairnhq/cairn/services/collector/internal/posthog"
	"github.com/cairnhq/cairn/services/collector/internal/rudder"
	"github.com/cairnhq/cairn/services/collector/internal/segment"
	"github.com/cairnhq/cairn/services/collector/internal/snowplow"
	"github.com/cairnhq/cairn/services/collector/internal/webhook"
	"github.com/cairnhq/cairn/services/collector/tracker"
)

// Settings are what operators say about doors. Each door's constructor takes
// what is its own.
type Settings struct {
	Snowplow snowplow.Options
	Pixel    pixel.Options
	Webhook  webhook.Options
}

// All is every front door. A new one is one line here; the collector refuses to
// start where two of them want the same method of a path.
func All(s Settings) ([]door.Door, error) {
	pixels, err := pixel.Door(s.Pixel)
	if err != nil {
		return nil, err
	}
	script, err := tracker.Door()
	if err != nil {
		return nil, err
	}
	return []door.Door{
		segment.Door(),
		rudder.Door(),
		posthog.Door(),
		snowplow.Door(s.Snowplow),
		cloudevent.Door(),
		pixels,
		webhook.Door(s.Webhook),
		script,
	}, nil
}
