package collector_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// told is what all clients together were told. Safe for concurrent use.
type told struct {
	mu     sync.Mutex
	codes  map[string]int // answers by status
	kinds  map[string]int // of requests
	events map[string]int // "source outcome"
}

func (t *told) kind(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kinds[name]++
}

// answer is one answer, and what it says of events.
func (t *told) answer(code int, source string, good, bad int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.codes[status(code)]++
	for outcome, n := range map[string]int{"accepted": good, "rejected": bad} {
		if n > 0 {
			t.events[source+" "+outcome] += n
		}
	}
}

func (t *told) answered() (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for of := range maps.Values(t.codes) {
		n += of
	}
	return n
}

// sum is of an outcome at all sources.
func (t *told) sum(outcome string) (n int) {
	for name, of := range t.events {
		if strings.HasSuffix(name, " "+outcome) {
			n += of
		}
	}
	return n
}

// ask is a request and what becomes of it.
type ask struct {
	method, path, body, source string
	headers                    []string
	want                       int // status
	or                         int // another one, after which no event counts; 0: none
	good, bad                  int // events
	chunked                    bool
}

// exchange sends a request that is whole and checks its answer.
func (s *soak) exchange(q *ask) error {
	method := q.method
	if method == "" {
		method = http.MethodPost
	}
	var body io.Reader = strings.NewReader(q.body)
	if q.chunked {
		body = io.MultiReader(body)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, s.url+q.path, body)
	if err != nil {
		return err
	}
	for i := 0; i+1 < len(q.headers); i += 2 {
		req.Header.Set(q.headers[i], q.headers[i+1])
	}
	got := q.want
	res, err := s.client.Do(req)
	switch {
	case err == nil:
		defer func() { _ = res.Body.Close() }()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			return err
		}
		if got = res.StatusCode; got != q.want && got != q.or {
			return fmt.Errorf("%s %s was answered %d %q, want %d: %.300q", method, q.path, got, text, q.want, q.body)
		}
	case q.want != http.StatusRequestEntityTooLarge: // after which a client may find itself cut off
		return err
	}
	if got != q.want {
		q.good, q.bad = 0, 0
	}
	s.told.answer(got, q.source, q.good, q.bad)
	return nil
}

// kind of request.
type kind struct {
	name string
	do   func(s *soak, random *rand.Rand, id string) error
}

// rota hands kinds of requests out in turn, so that none is left out however short
// the time is. Safe for concurrent use.
type rota struct {
	kinds []kind
	turn  atomic.Int64
}

func (r *rota) next() kind { return r.kinds[int(r.turn.Add(1))%len(r.kinds)] }

// asks makes a kind of requests that are whole.
func asks(name string, draw func(random *rand.Rand, id string) ask) kind {
	return kind{name, func(s *soak, random *rand.Rand, id string) error {
		q := draw(random, id)
		return s.exchange(&q)
	}}
}

// quickKinds are all doors, with good events and bad ones, and what is refused.
func quickKinds() []kind {
	var all []kind
	for _, name := range slices.Sorted(maps.Keys(soakDoors())) {
		draw := soakDoors()[name]
		all = append(all, asks(name, func(random *rand.Rand, id string) ask {
			q := draw(id, 1+random.IntN(20), random)
			if q.body != "" && random.IntN(3) == 0 {
				q.body = zipped(q.body)
			}
			return q
		}))
	}
	return append(all, refusedKinds()...)
}

// refusedKinds are requests of which nothing counts.
func refusedKinds() []kind {
	const path = "/v1/batch"
	key := []string{"Authorization", basic("segment")}
	large := func(n int) string { return `{"batch":[` + strings.Repeat(" ", n) + `]}` }
	return []kind{
		asks("no JSON", func(random *rand.Rand, id string) ask {
			text := soakBatch("", id, 3, 0)
			return ask{path: path, headers: key, body: text[:1+random.IntN(len(text)-2)], want: 400}
		}),
		asks("broken gzip", func(random *rand.Rand, id string) ask {
			text := zipped(soakBatch("", id, 3, 0))
			return ask{path: path, headers: key, body: text[:12+random.IntN(len(text)-20)], want: 400}
		}),
		asks("unknown key", func(_ *rand.Rand, id string) ask {
			return ask{path: path, headers: []string{"Authorization", basic("nobody")}, body: soakBatch("", id, 3, 0), want: 401}
		}),
		asks("no such path", func(_ *rand.Rand, id string) ask {
			return ask{path: "/" + url.PathEscape(id) + "/x", headers: key, body: "{}", want: 404}
		}),
		asks("no such method", func(*rand.Rand, string) ask {
			return ask{method: http.MethodDelete, path: path, headers: key, want: 405}
		}),
		asks("too large", func(random *rand.Rand, _ string) ask {
			return ask{path: path, headers: key, body: large(512<<10 + random.IntN(2<<20)), chunked: random.IntN(2) == 0, want: 413}
		}),
		asks("bomb", func(random *rand.Rand, _ string) ask {
			return ask{path: path, headers: key, body: zipped(large(1<<20 + random.IntN(2<<20))), want: 413}
		}),
		asks("too many events", func(_ *rand.Rand, id string) ask {
			return ask{path: path, headers: key, body: soakBatch("", id, soakMaxEvents+1, 0), want: 413}
		}),
	}
}
