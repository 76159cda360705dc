package spool

import (
	"encoding/json"
	"fmt"
)

// kept is a record as SetAside writes it, a line each.
type kept struct {
	Reason  string            `json:"reason"`
	Key     string            `json:"key,omitempty"`
	Value   string            `json:"value"`
	Headers map[string]string `json:"headers,omitempty"`
	Time    string            `json:"time"`
}

// SetAside writes records that will never be taken into a file of lines of JSON,
// and returns its name. They are still to be Done.
func (s *Spool) SetAside(reason string, records []Record) (string, error) {
	var text []byte
	for _, r := range records {
		k := kept{Reason: reason, Key: string(r.Key), Value: string(r.Value), Time: r.Time.UTC().Format("2006-01-02T15:04:05.000Z")}
		for _, h := range r.Headers {
			if k.Headers == nil {
				k.Headers = map[string]string{}
			}
			k.Headers[h.Key] = string(h.Value)
		}
		line, err := json.Marshal(k)
		if err != nil {
			return "", fmt.Errorf("spool: set a record aside: %w", err)
		}
		text = append(append(text, line...), '\n')
	}
	// The place of the batch, so that the same one after a restart is the same file.
	at := s.reader.batch.end
	name := fmt.Sprintf("%016x-%d.refused.ndjson", at.segment, at.offset)
	if err := s.writeFile(name, text); err != nil {
		return "", fmt.Errorf("spool: set %d records aside: %w", len(records), err)
	}
	return s.path(name), nil
}
