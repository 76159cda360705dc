package pixel

import (
	"net/http"
	"time"

	"github.com/cairnhq/cairn/services/collector/internal/door"
)

// Options of the door.
type Options struct {
	// AllowedRedirects are the hosts that links may lead to: shop.example,
	// shop.example:8443 for another port than http's and https's own, and
	// .shop.example for every host below shop.example (not itself). None: no
	// link works.
	AllowedRedirects []string
	// Lost is told of every link that was followed without being recorded, with
	// the code of the refusal. Called concurrently; nil: nobody is told.
	Lost func(reason string)
}

// Paths of the door.
const (
	openPath  = "/pixel.gif"
	clickPath = "/r"
)

// patience is how long a customer who follows a link waits for Kafka.
const patience = time.Second

// Door is that of /pixel.gif and /r.
func Door(o Options) (door.Door, error) {
	allowed, err := newHosts(o.AllowedRedirects)
	if err != nil {
		return door.Door{}, err
	}
	if o.Lost == nil {
		o.Lost = func(string) {}
	}
	return door.Door{
		Name: "pixel",
		Routes: []door.Route{
			{Path: openPath, Methods: []string{http.MethodGet}, Kind: kindOpen},
			{Path: clickPath, Methods: []string{http.MethodGet}, Kind: kindClick, Patience: patience},
		},
		Key:    door.QueryKey,
		New:    func() door.Request { return &Request{hosts: &allowed} },
		Answer: &answers{hosts: &allowed, lost: o.Lost},
	}, nil
}
