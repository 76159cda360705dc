package console

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"go.uber.org/zap"

	"github.com/cairnhq/cairn/services/console/mapview"
)

// slotWait is how long a request may wait for its turn to read ClickHouse.
const slotWait = 2 * time.Second

// errBusy says that too many maps are being read.
var errBusy = errors.New("too many journey maps are being read at once")

// apiError is the body of every answer that is not 200.
type apiError struct {
	// Error is one sentence for a person.
	Error string `json:"error"`
	// Parameter is the query parameter that is wrong, if one is.
	Parameter string `json:"parameter,omitempty"`
}

// journeyMap answers GET /api/v1/journey-map.
func (s *Service) journeyMap(w http.ResponseWriter, r *http.Request) {
	p, bad := parseParams(r)
	if bad != nil {
		writeError(w, http.StatusBadRequest, *bad)
		return
	}
	m, err := s.read(r.Context(), p.from, p.to)
	if err != nil {
		if r.Context().Err() != nil {
			return // nobody is waiting
		}
		code, e := s.explain(err)
		s.log.Warn("journey map could not be read", zap.Int("status", code), zap.Error(err))
		if code == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "5")
		}
		writeError(w, code, e)
		return
	}
	var body bytes.Buffer
	kind := "application/json"
	if p.csv {
		kind = "text/csv; charset=utf-8; header=present"
		w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", "journey-map-"+p.table+".csv"))
		err = writeCSV(&body, m, p.table)
	} else {
		err = json.NewEncoder(&body).Encode(m)
	}
	if err != nil {
		s.log.Error("journey map could not be written", zap.Error(err))
		writeError(w, http.StatusInternalServerError, apiError{Error: "The journey map could not be written."})
		return
	}
	writeBody(w, r, kind, body.Bytes())
}

// read fetches a map, once for all who ask for the same range meanwhile. It goes
// on when the first of them leaves.
func (s *Service) read(ctx context.Context, from, to time.Time) (*mapview.Map, error) {
	key := strconv.FormatInt(from.UnixMilli(), 10) + "/" + strconv.FormatInt(to.UnixMilli(), 10)
	answer := s.shared.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), slotWait+s.o.QueryTimeout)
		defer cancel()
		turn, stop := context.WithTimeout(ctx, slotWait)
		defer stop()
		select {
		case s.slots <- struct{}{}:
		case <-turn.Done():
			return nil, errBusy
		}
		defer func() { <-s.slots }()
		s.metrics.queries.Inc()
		defer s.metrics.queries.Dec()
		ctx, cancel = context.WithTimeout(ctx, s.o.QueryTimeout)
		defer cancel()
		m, err := mapview.Fetch(ctx, s.conn, s.o.Namespace, from, to)
		if err == nil {
			m.Mask(s.o.MinCount)
		}
		return m, err
	})
	select {
	case a := <-answer:
		m, _ := a.Val.(*mapview.Map)
		return m, a.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// ClickHouse's error codes that have a sentence of their own.
const (
	codeUnknownFunction = 46
	codeUnknownTable    = 60
	codeUnknownDatabase = 81
	codeTimeout         = 159
	codeTooSlow         = 160
	codeMemory          = 241
	codeAuthentication  = 516
)

// explain says what went wrong in one sentence, without what only the log may know.
func (s *Service) explain(err error) (int, apiError) {
	var ex *clickhouse.Exception
	switch {
	case errors.Is(err, mapview.ErrRange):
		return http.StatusBadRequest, apiError{Error: "The range of time is empty or cannot be asked for.", Parameter: "from"}
	case errors.Is(err, errBusy):
		return http.StatusServiceUnavailable, apiError{Error: "The console is busy reading other maps; try again in a few seconds."}
	case errors.As(err, &ex):
		switch ex.Code {
		case codeUnknownTable, codeUnknownDatabase, codeUnknownFunction:
			return http.StatusServiceUnavailable, apiError{
				Error: "The warehouse has no journey map views for the namespace " + strconv.Quote(s.o.Namespace) + " yet; run cairn migrate.",
			}
		case codeTimeout, codeTooSlow, codeMemory:
			return http.StatusServiceUnavailable, apiError{Error: "The warehouse gave up on this range; choose a shorter one."}
		case codeAuthentication:
			return http.StatusServiceUnavailable, apiError{Error: "The warehouse refused the console's user or password."}
		}
		return http.StatusInternalServerError, apiError{Error: "The warehouse could not answer (code " + strconv.Itoa(int(ex.Code)) + "); the console's log has the reason."}
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusServiceUnavailable, apiError{Error: fmt.Sprintf("The warehouse did not answer within %s.", s.o.QueryTimeout)}
	}
	return http.StatusServiceUnavailable, apiError{Error: "The warehouse cannot be reached."}
}

// writeBody sends a body that must not be cached, compressed where that pays.
func writeBody(w http.ResponseWriter, r *http.Request, kind string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "Accept, Accept-Encoding")
	if len(body) < 1<<10 || !acceptsGzip(r) {
		_, _ = w.Write(body) // the reader may be gone
		return
	}
	h.Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(w)
	_, _ = z.Write(body)
	_ = z.Close()
}

func writeError(w http.ResponseWriter, code int, e apiError) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(e) // the reader may be gone
}
