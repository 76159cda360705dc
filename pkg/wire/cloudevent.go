package wire

import (
	"fmt"
	"time"
)

// cloudEvent is a CloudEvent in structured mode, version 1.0 of the
// specification.
type cloudEvent[T any] struct {
	SpecVersion     string `json:"specversion"`
	ID              string `json:"id"`
	Source          string `json:"source"`
	Type            string `json:"type"`
	Subject         string `json:"subject"`
	Time            string `json:"time"`
	DataContentType string `json:"datacontenttype"`
	Data            T      `json:"data"`
}

const millisLayout = "2006-01-02T15:04:05.000Z"

// eventTimes reads the two times of a transition or friction, in Unix ms. A
// missing emission time is that of year 1, as it always was.
func eventTimes(at, emitted string) (atMillis, emittedMillis int64, err error) {
	t, err := time.Parse(time.RFC3339, at)
	if err != nil {
		return 0, 0, fmt.Errorf("at: %w", err)
	}
	var e time.Time
	if emitted != "" {
		if e, err = time.Parse(time.RFC3339, emitted); err != nil {
			return 0, 0, fmt.Errorf("emitted_at: %w", err)
		}
	}
	return t.UnixMilli(), e.UnixMilli(), nil
}
