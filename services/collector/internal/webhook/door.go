package webhook

import (
	"net/http"
	"strconv"
	"time"

	"github.com/cairnhq/cairn/services/collector/internal/door"
	"github.com/cairnhq/cairn/services/collector/internal/mapping"
)

// Options of the door.
type Options struct {
	// Table is the mapping file as it is now; nil, or a nil table: no source is
	// known. Called by many requests at once.
	Table func() *mapping.Table
	Now   func() time.Time // nil: time.Now
}

// Door is POST /webhook/SOURCE.
func Door(o Options) door.Door {
	if o.Table == nil {
		o.Table = func() *mapping.Table { return nil }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return door.Door{
		Name:   "webhook",
		Routes: []door.Route{{Path: "/webhook/*"}},
		New:    func() door.Request { return &Request{options: &o} },
		Key:    Key,
		Answer: answers{},
	}
}

// Key is the write key beside HTTP Basic: the query's writeKey, else the header
// X-Api-Key.
func Key(in *door.Input) []byte {
	if key := door.QueryKey(in); len(key) > 0 {
		return key
	}
	return []byte(in.Header.Get("X-Api-Key"))
}

// answers tell how many items there were, and how many the mapping left out.
type answers struct{ door.JSON }

type answer struct {
	Success  bool           `json:"success"`
	Items    int            `json:"items"`
	Skipped  int            `json:"skipped"`
	Rejected int            `json:"rejected"`
	Errors   []door.Problem `json:"errors,omitempty"`
}

func (answers) Accepted(w http.ResponseWriter, in *door.Input, rejects []*door.Reject) {
	var items, skipped int
	if c, err := readCounts(in.Carry); err == nil {
		items, skipped = c.items, c.skipped
	}
	door.WriteJSON(w, http.StatusOK, answer{true, items, skipped, len(rejects), door.Problems(rejects)})
}

// counts go from Decode to the answer.
type counts struct{ items, skipped int }

func (c counts) carry() string { return strconv.Itoa(c.items) + " " + strconv.Itoa(c.skipped) }
