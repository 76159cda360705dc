package collector

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/cairnhq/cairn/services/collector/internal/door"
)

// Codes of answers beside those of package door.
const (
	codeUnauthorized = "unauthorized"
	codeNotFound     = "not_found"
	codeBadMethod    = "method_not_allowed"
	codeReadFailed   = "read_failed"
	codeRateLimited  = "rate_limited"
	codeOverloaded   = door.CodeOverloaded
	codeKafkaAway    = "kafka_unavailable"
	codeUnknown      = "delivery_unknown"
)

// refusal is an answer other than 200.
type refusal struct {
	status  int
	code    string
	message string
	pointer string
	retry   time.Duration // of Retry-After, rounded up to seconds; 0: none
	err     error         // for the log; nil: the client's doing
}

// write sets the headers that all protocols share and has the door write the
// rest. crossSite says that a browser asks from another site.
func (f *refusal) write(w http.ResponseWriter, with door.Answerer, in *door.Input, crossSite bool) {
	h := w.Header()
	if f.retry > 0 {
		seconds := int64((f.retry + time.Second - 1) / time.Second)
		h.Set("Retry-After", strconv.FormatInt(seconds, 10))
		if f.status == http.StatusTooManyRequests {
			h.Set("X-Ratelimit-Reset", strconv.FormatInt(time.Now().Unix()+seconds, 10))
		}
	}
	// With this header a browser would ask the visitor for a password; so would a
	// mail program, for an image.
	if f.status == http.StatusUnauthorized && !crossSite && in.Method != http.MethodGet {
		h.Set("WWW-Authenticate", `Basic realm="cairn"`)
	}
	if f.status == http.StatusRequestTimeout || f.status == http.StatusRequestEntityTooLarge {
		h.Set("Connection", "close") // the rest of the body is not worth reading
	}
	with.Refused(w, in, &door.Refusal{Status: f.status, Code: f.code, Message: f.message, Pointer: f.pointer})
}

// refused turns a reject of a whole body, or of a single event, into an answer.
func refused(rej *door.Reject) *refusal {
	ref := &refusal{status: http.StatusBadRequest, code: rej.Code, message: rej.Message, pointer: rej.Pointer}
	switch rej.Code {
	case door.CodeTooLarge, door.CodeTooManyEvents:
		ref.status = http.StatusRequestEntityTooLarge
	case door.CodeNotFound:
		ref.status = http.StatusNotFound
	case door.CodeUnauthorized:
		ref.status = http.StatusUnauthorized
	case door.CodeOverloaded:
		ref.status, ref.retry = http.StatusServiceUnavailable, time.Second
	}
	return ref
}

func undelivered(err error) *refusal {
	switch {
	case errors.Is(err, errBufferFull):
		return overloaded("Too many events are on their way to Kafka: try again.")
	case errors.Is(err, errUnknown):
		ref := away("Kafka has not acknowledged the events in time: send them again, with the same messageIds.", err)
		ref.code = codeUnknown
		return ref
	}
	if errors.Is(err, errSpoolFull) {
		return away("Kafka cannot take events now, and the spool is full: try again.", nil)
	}
	if _, ok := errors.AsType[spoolError](err); ok {
		return away("Kafka cannot take events now, nor can the spool: send them again.", err)
	}
	return away("Kafka has not taken the events: send them again.", fmt.Errorf("produce: %w", err))
}

func away(message string, err error) *refusal {
	return &refusal{status: http.StatusServiceUnavailable, code: codeKafkaAway, message: message, retry: 5 * time.Second, err: err}
}

func overloaded(message string) *refusal {
	return &refusal{status: http.StatusServiceUnavailable, code: codeOverloaded, message: message, retry: time.Second}
}

func unauthorized() *refusal {
	return &refusal{
		status: http.StatusUnauthorized, code: codeUnauthorized,
		message: "The write key is missing or unknown: send it as the user name of HTTP Basic or as writeKey in the body.",
	}
}

func notFound() *refusal {
	return &refusal{
		status: http.StatusNotFound, code: codeNotFound,
		message: "There is no such path: events go to /v1/batch or /v1/track, page, screen, identify, group, alias, or where docs/collector.md says for your protocol.",
	}
}

func limited(wait time.Duration) *refusal {
	return &refusal{
		status: http.StatusTooManyRequests, code: codeRateLimited, retry: min(wait, 300*time.Second),
		message: "This write key sends more events than it may: try again after the time in Retry-After.",
	}
}

// exhausted refuses when the key has nothing left to spend at all: before the
// body is read.
func (k *key) exhausted(now time.Time) *refusal {
	if k.limiter == nil || k.limiter.TokensAt(now) >= 1 {
		return nil
	}
	return limited(time.Second)
}

// spend takes n events from the key's allowance, or says when to come back.
func (k *key) spend(now time.Time, n int) *refusal {
	if k.limiter == nil || n == 0 {
		return nil
	}
	r := k.limiter.ReserveN(now, n)
	if wait := r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return limited(wait)
	}
	return nil
}
