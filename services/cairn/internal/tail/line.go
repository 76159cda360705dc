package tail

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// line is a record as it is printed.
type line struct {
	Topic     string            `json:"topic"`
	Partition int32             `json:"partition"`
	Offset    int64             `json:"offset"`
	Timestamp string            `json:"timestamp"`
	Key       string            `json:"key"`
	Headers   map[string]string `json:"headers,omitempty"`
	// Value is the decoded value; JSON as it is, else text, else Base64.
	Value    json.RawMessage `json:"value"`
	Encoding string          `json:"encoding"` // json, protobuf, text or base64
}

// Line is r as one line of JSON, without a line break.
func Line(r *kgo.Record) ([]byte, error) {
	l := line{
		Topic: r.Topic, Partition: r.Partition, Offset: r.Offset,
		Timestamp: r.Timestamp.UTC().Format("2006-01-02T15:04:05.000Z"), Key: printable(r.Key),
	}
	if r.Timestamp.Before(time.Unix(0, 0)) {
		l.Timestamp = ""
	}
	for _, h := range r.Headers {
		if l.Headers == nil {
			l.Headers = map[string]string{}
		}
		l.Headers[h.Key] = printable(h.Value)
	}
	var err error
	if l.Value, l.Encoding, err = value(r, l.Headers); err != nil {
		return nil, fmt.Errorf("print %s/%d/%d: %w", r.Topic, r.Partition, r.Offset, err)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(&l); err != nil {
		return nil, fmt.Errorf("print %s/%d/%d: %w", r.Topic, r.Partition, r.Offset, err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// value decodes by what the topic holds; what cannot be decoded is shown as it is.
func value(r *kgo.Record, headers map[string]string) (json.RawMessage, string, error) {
	if r.Value == nil {
		return json.RawMessage("null"), "json", nil // a tombstone
	}
	if m := message(r.Topic, headers); m != nil && proto.Unmarshal(r.Value, m) == nil {
		text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
		if err != nil {
			return nil, "", err
		}
		var compact bytes.Buffer // protojson adds spaces at random
		if err := json.Compact(&compact, text); err != nil {
			return nil, "", err
		}
		return compact.Bytes(), "protobuf", nil
	}
	if json.Valid(r.Value) {
		var compact bytes.Buffer
		if err := json.Compact(&compact, r.Value); err != nil {
			return nil, "", err
		}
		return compact.Bytes(), "json", nil
	}
	encoding := "base64"
	if utf8.Valid(r.Value) {
		encoding = "text"
	}
	text, err := json.Marshal(printable(r.Value))
	return text, encoding, err
}

// message is an empty message of the type that the topic's records have, nil
// where they are not Protobuf.
func message(topic string, headers map[string]string) proto.Message {
	_, name, _ := strings.Cut(topic, ".")
	switch headers[wire.HeaderType] {
	case "":
	case "epoch":
		return new(wirepb.Epoch)
	default:
		if name != stream.TopicTouchpoints {
			return nil
		}
	}
	switch name {
	case stream.TopicTouchpoints, stream.TopicLate:
		return new(wirepb.Touchpoint)
	case stream.TopicSessions:
		return new(wirepb.Session)
	case stream.TopicIdentities:
		return new(wirepb.Identity)
	case stream.TopicJourneys:
		return new(wirepb.Journey)
	case stream.TopicQuality:
		return new(wirepb.Quality)
	}
	return nil
}

// printable is text as it is, and other bytes in Base64.
func printable(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return base64.StdEncoding.EncodeToString(b)
}
