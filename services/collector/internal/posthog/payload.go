package posthog

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/url"
	"strings"

	"github.com/klauspost/compress/gzip"

	"github.com/cairnhq/cairn/services/collector/internal/door"
)

// maxWraps bounds how often a payload is packed: base64 of gzip is two.
const maxWraps = 3

// payload is a request's JSON, and what came beside it in the query or a form.
type payload struct {
	json   []byte
	fields url.Values // of a form, or nil
}

// field is a value of the form, else of the query.
func (p *payload) field(in *door.Input, name string) string {
	if v := p.fields.Get(name); v != "" {
		return v
	}
	return in.Query.Get(name)
}

// unwrap finds the JSON of a request. Content types and the query's word on
// compression are not asked: SDKs and proxies leave both wrong. JSON, gzip,
// forms and base64 begin differently.
func unwrap(in *door.Input, limits door.Limits) (payload, *door.Reject) {
	var p payload
	data := bytes.TrimSpace(in.Body)
	if len(data) == 0 {
		data = []byte(in.Query.Get("data"))
	} else if looksLikeForm(data) {
		fields, err := url.ParseQuery(string(data))
		if err != nil {
			return p, door.NewReject(door.CodeBadEncoding, "The body begins like a form but is none: "+err.Error()+".", "")
		}
		p.fields = fields
		data = []byte(fields.Get("data"))
	}
	if len(data) == 0 {
		return p, door.NewReject(door.CodeNoBatch, "There is no event: send it as JSON, as the form's or the query's data, or packed with gzip.", "")
	}
	if how := p.field(in, "compression"); how == "lz64" || how == "lz" {
		return p, door.NewReject(door.CodeBadEncoding, "compression=lz64 is not supported: upgrade posthog-js to 1.x from 2020 or later, or use gzip-js or base64.", "")
	}
	var rej *door.Reject
	p.json, rej = peel(in, data, limits.BodyBytes)
	return p, rej
}

// looksLikeForm reports whether a body begins with a form's name and "=". JSON
// and gzip cannot, and in base64 the "=" stands at the end.
func looksLikeForm(body []byte) bool {
	name, _, found := bytes.Cut(body[:min(len(body), 64)], []byte("="))
	if !found || len(name) == 0 || len(name) > 20 || len(bytes.TrimLeft(body[len(name):], "=")) == 0 {
		return false
	}
	for _, c := range name {
		if c != '_' && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// peel takes base64 and gzip off until JSON is left.
func peel(in *door.Input, data []byte, limit int) ([]byte, *door.Reject) {
	reserved := false
	for range maxWraps {
		data = bytes.TrimSpace(data)
		if len(data) == 0 || data[0] == '{' || data[0] == '[' {
			break
		}
		if !reserved && in.Reserve != nil && !in.Reserve(2*int64(limit)) {
			return nil, door.NewReject(door.CodeOverloaded, "Too many bytes are in flight: try again.", "")
		}
		reserved = true
		var rej *door.Reject
		if len(data) > 1 && data[0] == 0x1f && data[1] == 0x8b {
			data, rej = gunzip(data, limit)
		} else {
			data, rej = debase64(data)
		}
		if rej != nil {
			return nil, rej
		}
	}
	return data, nil
}

func gunzip(packed []byte, limit int) ([]byte, *door.Reject) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, badGzip(err)
	}
	plain, err := io.ReadAll(io.LimitReader(z, int64(limit)+1))
	switch {
	case err != nil:
		return nil, badGzip(err)
	case len(plain) > limit:
		return nil, door.NewReject(door.CodeTooLarge, "The events are too large when they are unpacked: send smaller batches.", "")
	}
	return plain, nil
}

func badGzip(err error) *door.Reject {
	return door.NewReject(door.CodeBadEncoding, "The data begins like gzip but cannot be unpacked: "+err.Error()+".", "")
}

// debase64 reads base64 of either alphabet, with or without padding. A blank was
// a plus that its sender did not escape.
func debase64(data []byte) ([]byte, *door.Reject) {
	text := strings.TrimRight(strings.NewReplacer(" ", "+", "-", "+", "_", "/", "\r", "", "\n", "").Replace(string(data)), "=")
	plain, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, door.NewReject(door.CodeBadJSON, "The data is neither JSON, nor gzip, nor base64 of them.", "")
	}
	return plain, nil
}
