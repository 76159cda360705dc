package collector

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cairnhq/cairn/services/collector/internal/door"
)

// frontDoor is a door with what the collector keeps for it.
type frontDoor struct {
	door.Door
	nobody *key // of requests without a key; nil: they are refused
	works  sync.Pool
}

// route is one path of the table, with a door for each method.
type route struct {
	name    string // as the door writes it: label of metrics
	wild    []string
	methods map[string]*entry
	allow   string // the methods, as headers list them
	doors   string // label of metrics for what belongs to no single door
}

// entry is what one method of a path does.
type entry struct {
	door  *frontDoor
	route door.Route
	ok    prometheus.Counter // requests that are answered 200
	time  prometheus.Observer
}

// routes finds the entry of a request. It does not change.
type routes struct {
	exact map[string]*route
	wild  []*route // few: searched in order
}

// newRoutes makes the table. The error names two doors that want the same.
func newRoutes(list []door.Door, met *metrics, nobody func(source string) *key) (*routes, error) {
	t := &routes{exact: map[string]*route{}}
	for i := range list {
		d := &frontDoor{Door: list[i]}
		if d.Answer == nil {
			d.Answer = door.JSON{}
		}
		if d.Source != "" {
			d.nobody = nobody(d.Source)
		}
		for _, r := range d.Routes {
			if err := t.add(d, r, met); err != nil {
				return nil, err
			}
		}
	}
	return t, nil
}

func (t *routes) add(d *frontDoor, r door.Route, met *metrics) error {
	if !strings.HasPrefix(r.Path, "/") || strings.HasSuffix(r.Path, "/") && r.Path != "/" {
		return fmt.Errorf("front door %s: the path %q must begin, and must not end, with a slash", d.Name, r.Path)
	}
	at := t.of(r.Path)
	e := &entry{
		door: d, route: r,
		ok:   met.requests.WithLabelValues(d.Name, r.Path, "200"),
		time: met.duration.WithLabelValues(d.Name, r.Path),
	}
	methods := slices.Clone(r.Methods)
	if methods == nil {
		methods = []string{http.MethodPost}
	}
	if r.Serve != nil && slices.Contains(methods, http.MethodGet) {
		methods = append(methods, http.MethodHead)
	}
	for _, m := range methods {
		if other := at.methods[m]; other != nil {
			return fmt.Errorf("front doors %s and %s both want %s %s", other.door.Name, d.Name, m, r.Path)
		}
		at.methods[m] = e
	}
	at.describe()
	return nil
}

// of is the table's route with that path, which is added if it is missing.
func (t *routes) of(path string) *route {
	at := t.exact[path]
	for _, w := range t.wild {
		if w.name == path {
			at = w
		}
	}
	if at != nil {
		return at
	}
	at = &route{name: path, methods: map[string]*entry{}}
	if strings.Contains(path, "*") {
		at.wild = strings.Split(path, "/")
		t.wild = append(t.wild, at)
	} else {
		t.exact[path] = at
	}
	return at
}

// describe sets what follows from the methods.
func (r *route) describe() {
	methods := []string{http.MethodOptions}
	var names []string
	for m, e := range r.methods {
		methods = append(methods, m)
		if !slices.Contains(names, e.door.Name) {
			names = append(names, e.door.Name)
		}
	}
	slices.Sort(methods)
	slices.Sort(names)
	r.allow, r.doors = strings.Join(methods, ", "), strings.Join(names, "+")
}

// find returns the route of a path, or nil, and the path without its trailing
// slash.
func (t *routes) find(path string) (*route, string) {
	if path != "/" {
		path = strings.TrimSuffix(path, "/")
	}
	if r := t.exact[path]; r != nil {
		return r, path
	}
	for _, r := range t.wild {
		if r.matches(path) {
			return r, path
		}
	}
	return nil, path
}

// matches compares segment by segment; a * takes any but an empty one.
func (r *route) matches(path string) bool {
	for i, want := range r.wild {
		got, rest, more := strings.Cut(path, "/")
		if more == (i == len(r.wild)-1) || want != got && (want != "*" || got == "") {
			return false
		}
		path = rest
	}
	return true
}

// any is one of the route's doors, for answers that no method decides.
func (r *route) any() *entry {
	for _, m := range [...]string{http.MethodPost, http.MethodGet} {
		if e := r.methods[m]; e != nil {
			return e
		}
	}
	for _, e := range r.methods {
		return e
	}
	return nil
}
