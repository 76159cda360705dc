package pixel

import (
	"net/http"

	"github.com/cairnhq/cairn/services/collector/internal/door"
)

// gif is a transparent image of one pixel.
const gif = "GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff" + // header, size, two colours
	"\x21\xf9\x04\x01\x00\x00\x00\x00" + // the first one is transparent
	"\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00\x3b" // the pixel, the end

// Headers that tell, beside an image or a redirect, what became of its event.
const (
	headerRejected = "Cairn-Rejected" // taken for touchpoints.rejected, for this reason
	headerLost     = "Cairn-Lost"     // not recorded, for this reason
)

// WriteGIF answers with an image of one pixel that nobody may keep: each time
// it is shown is an event. It is an image whatever became of the event, because
// one that fails to load is a hole in the page.
func WriteGIF(w http.ResponseWriter, status int) {
	h := w.Header()
	noStore(h)
	h.Set("Content-Type", "image/gif")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin") // sites with an embedder policy may show it
	w.WriteHeader(status)
	_, _ = w.Write([]byte(gif)) // a client that has gone learns nothing
}

// Explain says in a header why an event is rejected, where the answer is an
// image.
func Explain(h http.Header, rejects []*door.Reject) {
	if len(rejects) > 0 {
		h.Set(headerRejected, rejects[0].Code)
	}
}

func noStore(h http.Header) {
	h.Set("Cache-Control", "no-cache, no-store, must-revalidate")
}
