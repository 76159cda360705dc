package collector

import (
	"net/http"

	"github.com/cairnhq/cairn/services/collector/internal/door"
)

// work is what one request needs, used again for the next one at the same door.
type work struct {
	answer  recorder
	in      door.Input
	meta    door.Meta
	room    reservation
	buffers buffers
	request door.Request
	rejects []*door.Reject
	flight  *flight
}

// work takes an idle one or makes a new one.
func (h *handler) work(e *entry, r *http.Request, path string) *work {
	wk, _ := e.door.works.Get().(*work)
	if wk == nil {
		wk = &work{request: e.door.New(), flight: newFlight(), room: reservation{memory: h.memory, all: int64(h.opts.MaxBufferedBytes)}}
		wk.in.Reserve = wk.room.grow
	}
	wk.in.Method, wk.in.Path, wk.in.Kind, wk.in.Header = r.Method, path, e.route.Kind, r.Header
	if r.URL.RawQuery != "" {
		wk.in.Query = r.URL.Query()
	}
	return wk
}

// maxKept bounds the memory that an idle work keeps.
const maxKept = 1 << 20

func (h *handler) release(e *entry, wk *work) {
	if cap(wk.flight.values)+cap(wk.buffers.sent)+cap(wk.buffers.plain) > maxKept {
		return
	}
	wk.answer = recorder{}
	wk.in = door.Input{Reserve: wk.in.Reserve}
	wk.meta = door.Meta{}
	clear(wk.rejects)
	wk.rejects = wk.rejects[:0]
	wk.flight.reset()
	e.door.works.Put(wk)
}

// recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader remembers the first status.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// code is the status that the client sees.
func (r *recorder) code() int {
	if r.status == 0 {
		return http.StatusOK
	}
	return r.status
}

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
