package collector

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/sync/semaphore"

	"github.com/cairnhq/cairn/services/collector/internal/door"
)

// bodyReader reads request bodies into memory, up to a bound. Safe for
// concurrent use.
type bodyReader struct {
	max     int // bytes, as sent and decompressed
	gunzips sync.Pool
}

// buffers are the memory of one body, used again for the next.
type buffers struct{ sent, plain []byte }

// read returns the whole body, decompressed. It aliases the buffers. Bodies are
// recognised as gzip by their first bytes: clients send it under any content
// type, and proxies leave the content encoding on what they have unpacked.
func (b *bodyReader) read(r *http.Request, buf *buffers, room *reservation) ([]byte, *refusal) {
	if r.ContentLength > int64(b.max) {
		return nil, b.tooLarge()
	}
	switch strings.ToLower(r.Header.Get("Content-Encoding")) {
	case "", "identity", "gzip", "x-gzip":
	default:
		return nil, &refusal{status: http.StatusBadRequest, code: door.CodeBadEncoding, message: "Content-Encoding may be gzip or none."}
	}
	var err error
	// Memory is taken as the bytes come: what a client only announces is none.
	if buf.sent, err = readAll(r.Body, buf.sent[:0], b.max, room.grow); err != nil {
		return nil, b.failed(err)
	}
	if len(buf.sent) < 2 || buf.sent[0] != 0x1f || buf.sent[1] != 0x8b {
		return buf.sent, nil
	}
	if !room.grow(int64(b.max)) {
		return nil, tooMuchInFlight()
	}
	if buf.plain, err = b.gunzip(buf.sent, buf.plain[:0]); err == nil {
		return buf.plain, nil
	}
	if errors.Is(err, errTooLarge) {
		return nil, b.tooLarge()
	}
	return nil, &refusal{status: http.StatusBadRequest, code: door.CodeBadEncoding, message: fmt.Sprintf("The body begins like gzip but cannot be unpacked: %v.", err)}
}

// gunzip appends what is packed to dst, but never much more than the limit.
func (b *bodyReader) gunzip(packed, dst []byte) ([]byte, error) {
	z, _ := b.gunzips.Get().(*gzip.Reader)
	if z == nil {
		z = new(gzip.Reader)
	}
	defer b.gunzips.Put(z)
	if err := z.Reset(bytes.NewReader(packed)); err != nil {
		return dst, err
	}
	return readAll(z, dst, b.max, func(int64) bool { return true })
}

// reservation is a request's share of the memory for bodies and records.
type reservation struct {
	memory *semaphore.Weighted
	all    int64 // of memory
	taken  int64
	never  bool // what was asked for is more than there is: to try again is of no use
}

// grow takes n bytes more, if there are as many.
func (v *reservation) grow(n int64) bool {
	if !v.memory.TryAcquire(n) {
		v.never = v.never || v.taken+n > v.all
		return false
	}
	v.taken += n
	return true
}

func (v *reservation) release() {
	v.memory.Release(v.taken)
	v.taken, v.never = 0, false
}

func tooMuchInFlight() *refusal { return overloaded("Too many bytes are in flight: try again.") }

var (
	errTooLarge = errors.New("larger than the limit")
	errNoRoom   = errors.New("no memory is left for it")
)

// readStep is for how many bytes at a time readAll asks for room.
const readStep = 16 << 10

// readAll appends what src gives to dst; errTooLarge when that is more than
// limit bytes, errNoRoom where grow gives no room for it.
func readAll(src io.Reader, dst []byte, limit int, grow func(int64) bool) ([]byte, error) {
	for taken := len(dst); ; {
		if len(dst) >= taken {
			if !grow(readStep) {
				return dst, errNoRoom
			}
			taken += readStep
		}
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := src.Read(dst[len(dst):min(cap(dst), taken)])
		dst = dst[:len(dst)+n]
		switch {
		case len(dst) > limit:
			return dst, errTooLarge
		case errors.Is(err, io.EOF):
			return dst, nil
		case err != nil:
			return dst, err
		}
	}
}

func (b *bodyReader) tooLarge() *refusal {
	return &refusal{
		status: http.StatusRequestEntityTooLarge, code: door.CodeTooLarge,
		message: fmt.Sprintf("The body may have %d bytes, compressed or not: send smaller batches.", b.max),
	}
}

func (b *bodyReader) failed(err error) *refusal {
	var timeout net.Error
	switch {
	case errors.Is(err, errTooLarge):
		return b.tooLarge()
	case errors.Is(err, errNoRoom):
		return tooMuchInFlight()
	case errors.As(err, &timeout) && timeout.Timeout():
		return &refusal{status: http.StatusRequestTimeout, code: codeReadFailed, message: "The body came too slowly."}
	}
	return &refusal{status: http.StatusBadRequest, code: codeReadFailed, message: "The body ended early."}
}
