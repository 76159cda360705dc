package collector

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/cairnhq/cairn/services/collector/internal/door"
	"github.com/cairnhq/cairn/services/collector/internal/importer"
	"github.com/cairnhq/cairn/services/collector/internal/mapping"
	"github.com/cairnhq/cairn/services/collector/internal/webhook"
)

// Headers of POST /import. Together they name a chunk: what came without a
// message id gets one made of them, so that a chunk which is sent again brings
// the same touchpoints.
const (
	ImportIDHeader = "Cairn-Import-Id"
	ChunkHeader    = "Cairn-Chunk"
)

const (
	importsAtOnce = 4                     // each holds a batch; further ones are answered 503
	importBatch   = 1 << 20               // bytes of records that are sent together, at least one
	importRecords = 2000                  // of them
	importMemory  = 6 << 20               // what one import may take: a batch, and a line's copies
	maxImportID   = 128                   // bytes
	roomPause     = 20 * time.Millisecond // while other requests fill the producer
)

// imports is POST /import. Safe for concurrent use.
type imports struct {
	h        *handler
	mappings func() *mapping.Table
	slots    chan struct{}
	bytes    int // of a batch
	records  int // of a batch
	memory   int64
}

// begin sizes batches: they must fit a small buffer, too.
func (m *imports) begin(h *handler, mappings func() *mapping.Table) {
	m.h, m.mappings, m.slots = h, mappings, make(chan struct{}, importsAtOnce)
	m.bytes = min(importBatch, h.opts.MaxBufferedBytes/4)
	m.records = min(importRecords, int(h.producer.maxRecords/2))
	m.memory = min(importMemory, int64(h.opts.MaxBufferedBytes/4))
}

// importDoor is the route of imports: it answers for itself, because no body of
// it is read whole.
func importDoor(serve http.HandlerFunc) door.Door {
	return door.Door{Name: "import", Routes: []door.Route{{Path: "/import", Serve: serve}}}
}

// upload is one request.
type upload struct {
	*imports
	w      http.ResponseWriter
	r      *http.Request
	key    *key
	body   *slowBody
	limit  time.Time
	format importer.Options
	lines  *importer.Reader
	flight *flight
	bad    []badLine // of the flight, and those that nothing is sent of
	good   int64     // of the flight
	answer importAnswer
}

// importAnswer is what the sender of a chunk learns. The counts are of what is
// in Kafka.
type importAnswer struct {
	Success   bool          `json:"success"`
	Import    string        `json:"import"`
	Chunk     uint64        `json:"chunk"`
	NextChunk uint64        `json:"next_chunk"` // this one again after a failure
	Lines     int64         `json:"lines"`
	Accepted  int64         `json:"accepted"`
	Rejected  int64         `json:"rejected"`
	Skipped   int64         `json:"skipped"`
	Dropped   int64         `json:"dropped"`          // by the rules for the source
	Errors    []badLine     `json:"errors,omitempty"` // the first 20
	Error     *door.Problem `json:"error,omitempty"`
}

// badLine is a rejected line.
type badLine struct {
	Line    int64  `json:"line"`
	Column  int    `json:"column"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// serve takes and answers a chunk.
func (m *imports) serve(w http.ResponseWriter, r *http.Request) {
	u := &upload{imports: m, w: w, r: r, limit: time.Now().Add(m.h.opts.ImportTimeout)}
	ref := u.admit()
	if ref == nil {
		defer func() { <-m.slots }()
		ref = u.take() //nolint:contextcheck // a client that hangs up cancels nothing
	}
	if u.answer.Success = ref == nil; u.answer.Success {
		u.answer.NextChunk = u.answer.Chunk + 1
		door.WriteJSON(w, http.StatusOK, &u.answer)
		return
	}
	if ref.err != nil {
		m.h.opts.Log.Warn("import refused", zap.Int("status", ref.status), zap.Error(ref.err))
	}
	u.answer.NextChunk = u.answer.Chunk
	w.Header().Set("Connection", "close") // the rest of the body is not read
	ref.write(w, importRefusal{&u.answer}, &door.Input{Method: r.Method, Path: "/import", Header: r.Header}, r.Header.Get("Origin") != "")
}

// importRefusal writes a failure with the counts so far.
type importRefusal struct{ answer *importAnswer }

func (importRefusal) Accepted(http.ResponseWriter, *door.Input, []*door.Reject) {}

func (i importRefusal) Refused(w http.ResponseWriter, _ *door.Input, r *door.Refusal) {
	i.answer.Error = &door.Problem{Code: r.Code, Message: r.Message, Pointer: r.Pointer}
	door.WriteJSON(w, r.Status, i.answer)
}

// admit checks what can be checked before the body; nil: a slot is taken.
func (u *upload) admit() *refusal {
	select {
	case <-u.h.draining:
		return away("This collector is shutting down: try again.", nil)
	default:
	}
	if ref := u.identify(); ref != nil {
		return ref
	}
	if ref := u.headers(); ref != nil {
		return ref
	}
	if ref := u.formats(); ref != nil {
		return ref
	}
	if ref := u.h.checkOrigin(u.w, u.r, u.key); ref != nil {
		return ref
	}
	if why := u.h.producer.away.Load(); why != nil {
		return away("Kafka cannot take events now: try again. The reason: "+*why+".", nil)
	}
	if u.r.ContentLength > u.h.opts.MaxImportBytes {
		return u.tooLarge()
	}
	select {
	case u.slots <- struct{}{}:
		return nil
	default:
		return overloaded("Too many imports are under way: try again.")
	}
}

func (u *upload) identify() *refusal {
	writeKey, present := headerKey(u.r.Header)
	if !present {
		writeKey = webhook.Key(&door.Input{Query: u.r.URL.Query(), Header: u.r.Header})
	}
	if len(writeKey) > 0 {
		u.key = u.h.keys.find(writeKey)
	}
	if u.key == nil {
		return &refusal{
			status: http.StatusUnauthorized, code: codeUnauthorized,
			message: "The write key is missing or unknown: send it as the user name of HTTP Basic, as writeKey in the query or in the header X-Api-Key.",
		}
	}
	return nil
}

func (u *upload) headers() *refusal {
	u.answer.Import = u.r.Header.Get(ImportIDHeader)
	if len(u.answer.Import) > maxImportID {
		return badImport(fmt.Sprintf("%s may have %d bytes.", ImportIDHeader, maxImportID))
	}
	text := u.r.Header.Get(ChunkHeader)
	if text == "" {
		return nil
	}
	var err error
	if u.answer.Chunk, err = strconv.ParseUint(text, 10, 53); err != nil {
		return badImport(ChunkHeader + " must be a whole number from 0.")
	}
	if u.answer.Import == "" {
		return badImport(ChunkHeader + " goes with " + ImportIDHeader + ": without it chunks of two imports could not be told apart.")
	}
	return nil
}

// formats reads the query.
func (u *upload) formats() *refusal {
	q := u.r.URL.Query()
	o := importer.Options{
		Query: q, ID: u.answer.Import, Chunk: u.answer.Chunk, Source: u.key.source, Received: time.Now(), Limits: u.h.opts.limits(), MaxBytes: u.h.opts.MaxImportBytes,
	}
	switch format := q.Get("format"); {
	case format == string(importer.CSV), format == "" && strings.HasPrefix(u.r.Header.Get("Content-Type"), "text/csv"):
		o.Format = importer.CSV
	case format == string(importer.NDJSON), format == "":
		o.Format = importer.NDJSON
	default:
		return badImport("format must be ndjson or csv.")
	}
	switch q.Get("delimiter") { // a ; in a query is read as its end
	case "", ",", "comma":
	case ";", "semicolon":
		o.Delimiter = ';'
	case "|", "pipe":
		o.Delimiter = '|'
	case "\t", "tab":
		o.Delimiter = '\t'
	default:
		return badImport("delimiter must be comma, semicolon, pipe or tab.")
	}
	if name := q.Get("mapping"); name != "" {
		if o.Mapping = u.mappings().Find(name); o.Mapping == nil {
			ref := badImport("There is no mapping of that name in the file that collector.webhooks names.")
			ref.status, ref.code = http.StatusNotFound, codeNotFound
			return ref
		}
	}
	switch strings.ToLower(u.r.Header.Get("Content-Encoding")) {
	case "", "identity", "gzip", "x-gzip":
	default:
		return badImport("Content-Encoding may be gzip or none.")
	}
	u.format = o
	return nil
}

func badImport(message string) *refusal {
	return &refusal{status: http.StatusBadRequest, code: "bad_request", message: message}
}

func (u *upload) tooLarge() *refusal {
	return &refusal{
		status: http.StatusRequestEntityTooLarge, code: door.CodeTooLarge,
		message: fmt.Sprintf("A chunk may have %d bytes, packed or not: send smaller ones. What is counted here is in Kafka.", u.h.opts.MaxImportBytes),
	}
}
