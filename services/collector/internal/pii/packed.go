package pii

import (
	"bytes"
	"encoding/base64"
	"net/netip"
	"strings"

	"github.com/cairnhq/cairn/pkg/enrich"
	"github.com/cairnhq/cairn/services/collector/internal/jsonscan"
)

// address is what Addresses does: the network of an address, nothing of what is
// none.
const address = "address"

// Addresses truncates the addresses in an event that is kept as it came, as doors
// do in those they take: of members that protocols call so. What is no JSON stays
// as it is.
func Addresses(value []byte) []byte {
	w := writer{rules: &Rules{rules: []rule{{name: "ip", do: address}, {name: "$ip", do: address}}}, in: value, scan: jsonscan.New(value), anywhere: true}
	if cleaned, ok := w.all(nil); ok {
		return cleaned
	}
	return value
}

func truncated(text []byte) []byte {
	ip := string(text)
	if withPort, err := netip.ParseAddrPort(ip); err == nil {
		ip = withPort.Addr().String()
	}
	return jsonscan.AppendQuoted(nil, enrich.TruncateIP(ip))
}

// text walks a text of a rejected event: Snowplow's trackers pack JSON into it,
// plain or in base64, and CloudEvents have data_base64. Each packing makes the text
// longer, so that few fit into each other.
func (w *writer) text() error {
	span, err := w.scan.Skip()
	if err != nil {
		return err
	}
	text := bytes.TrimSpace(jsonscan.Unquote(span.In(w.in), nil))
	coded := false
	if !looksLikeJSON(text) {
		if text, coded = unbase64(text); !coded || !looksLikeJSON(text) {
			return nil
		}
	}
	inner := writer{rules: w.rules, in: text, scan: jsonscan.New(text), anywhere: true}
	cleaned, ok := inner.all(nil)
	switch {
	case !ok && w.rules.rules[0].do == address: // nothing was asked for
		return nil
	case !ok:
		w.replace(int(span.Start), int(span.End), []byte(Unreadable))
	case !inner.changed:
	case coded:
		w.replace(int(span.Start), int(span.End), jsonscan.AppendQuoted(nil, base64.StdEncoding.EncodeToString(cleaned)))
	default:
		w.replace(int(span.Start), int(span.End), jsonscan.AppendQuoted(nil, cleaned))
	}
	return nil
}

func looksLikeJSON(text []byte) bool { return len(text) > 1 && (text[0] == '{' || text[0] == '[') }

// unbase64 reads base64 in either alphabet, padded or not.
func unbase64(text []byte) ([]byte, bool) {
	plain, err := base64.RawStdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(string(text), "=")))
	return bytes.TrimSpace(plain), err == nil
}
