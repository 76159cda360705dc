package putback

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/cairnhq/cairn/pkg/enrich/plan"
	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/wire"
)

// repair is the record that is put back: its value and key. A *wire.RawError says
// why the device step would reject it again.
func (r *run) repair(x *rejected) (value []byte, key string, err error) {
	value = x.value
	if r.Fix != nil {
		doc, err := object(value)
		if err != nil {
			return nil, "", &wire.RawError{Reason: wire.ReasonBadJSON, Err: err}
		}
		r.Fix.Apply(doc)
		if value, err = encode(doc); err != nil {
			return nil, "", &wire.RawError{Reason: wire.ReasonBadJSON, Err: err}
		}
	}
	raw, err := r.look(x, value)
	if err != nil {
		return nil, "", err
	}
	// The id that the device step would have made of the first attempt's place: so
	// that whatever is put back twice is a duplicate.
	if id := derivedID(x.first); raw.Touchpoint.MessageID == noID && id != "" {
		doc, err := object(value)
		if err != nil {
			return nil, "", &wire.RawError{Reason: wire.ReasonBadJSON, Err: err}
		}
		doc["messageId"] = id
		if value, err = encode(doc); err != nil {
			return nil, "", &wire.RawError{Reason: wire.ReasonBadJSON, Err: err}
		}
	}
	return value, raw.Key, nil
}

// noID is the messageId that the codec derives for a record at offset -1.
const noID = "raw-0--1"

// look reads a value as the device step will.
func (r *run) look(x *rejected, value []byte) (*wire.Raw, error) {
	var raw wire.Raw
	if err := wire.DecodeRaw(&wire.RawRecord{Value: value, Offset: -1, Arrival: x.arrival, Source: x.source, Backfill: x.backfill}, &raw); err != nil {
		return nil, err
	}
	if v := r.Plan.Check(&raw.Touchpoint); v.Action == plan.Reject {
		worst, _ := v.Worst()
		return nil, &wire.RawError{Reason: wire.ReasonPlan, Pointer: worst.Pointer, Err: errors.New(worst.Message)}
	}
	return &raw, nil
}

// derivedID is raw-PARTITION-OFFSET of topic/partition/offset.
func derivedID(origin string) string {
	parts := strings.Split(origin, "/")
	if len(parts) != 3 {
		return ""
	}
	id := "raw-" + parts[1] + "-" + parts[2]
	if journey.Blocked(id) {
		return ""
	}
	return id
}

// object reads a JSON object; numbers keep their digits.
func object(value []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	var doc map[string]any
	if err := d.Decode(&doc); err != nil {
		return nil, fmt.Errorf("a fix needs a JSON object: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) || doc == nil {
		return nil, errors.New("a fix needs one JSON object")
	}
	return doc, nil
}

func encode(doc map[string]any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(doc); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
