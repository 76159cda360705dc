package console

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/cairnhq/cairn/services/console/mapview"
)

// params of a journey map.
type params struct {
	from, to time.Time // zero: open
	csv      bool
	table    string // of CSV
}

const (
	tableStages   = "stages"
	tableChannels = "channels"
	tableDaily    = "daily"
)

// parseParams reads the query string strictly: what it does not know is wrong,
// because a misspelled filter would show the wrong numbers without a word.
func parseParams(r *http.Request) (params, *apiError) {
	p := params{table: tableChannels, csv: prefersCSV(r.Header.Get("Accept"))}
	query := r.URL.Query()
	names := make([]string, 0, len(query))
	for name := range query {
		names = append(names, name)
	}
	slices.Sort(names) // of several mistakes, always the same is named
	for _, name := range names {
		values := query[name]
		if len(values) != 1 {
			return p, &apiError{Parameter: name, Error: fmt.Sprintf("The parameter %s must be given once.", name)}
		}
		if wrong := p.set(name, values[0]); wrong != "" {
			return p, &apiError{Parameter: name, Error: wrong}
		}
	}
	if !p.from.IsZero() && !p.to.IsZero() && !p.from.Before(p.to) {
		return p, &apiError{Parameter: "to", Error: "The parameter to must be later than from; it is the first moment that no longer counts."}
	}
	return p, nil
}

// set takes one parameter. It returns a sentence that says what is wrong, or "".
func (p *params) set(name, value string) (wrong string) {
	switch name {
	case "from":
		p.from, wrong = parseTime(name, value)
	case "to":
		p.to, wrong = parseTime(name, value)
	case "format":
		if value != "csv" && value != "json" {
			return fmt.Sprintf("The parameter format must be json or csv, not %q.", value)
		}
		p.csv = value == "csv"
	case "table":
		if !slices.Contains([]string{tableStages, tableChannels, tableDaily}, value) {
			return fmt.Sprintf("The parameter table must be stages, channels or daily, not %q.", value)
		}
		p.table = value
	default:
		return fmt.Sprintf("There is no parameter %q; there are from, to, format and table.", name)
	}
	return wrong
}

// parseTime reads a day (its first moment, UTC) or a moment, and says what is wrong.
func parseTime(name, value string) (t time.Time, wrong string) {
	if value == "" {
		return t, ""
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339Nano} {
		t, err := time.Parse(layout, value)
		if err != nil {
			continue
		}
		if t.Before(mapview.Earliest()) || t.After(mapview.Latest()) {
			return t, fmt.Sprintf("The parameter %s must lie between 1900 and 2299.", name)
		}
		return t, ""
	}
	return time.Time{}, fmt.Sprintf("The parameter %s must be a day such as 2026-11-23 or a time such as 2026-11-23T10:00:00Z, not %q.", name, value)
}

// prefersCSV tells whether an Accept header asks for CSV and not for JSON.
func prefersCSV(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		switch kind, _, _ := strings.Cut(strings.TrimSpace(part), ";"); strings.ToLower(kind) {
		case "text/csv":
			return true
		case "application/json", "*/*":
			return false
		}
	}
	return false
}
