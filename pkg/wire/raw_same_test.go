package wire

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// sameAsReference decodes a body both ways. Device is new: the reference knows
// nothing of it.
func sameAsReference(t require.TestingT, body []byte) {
	in := RawRecord{Value: body, Partition: 2, Offset: 7, Arrival: 1_780_000_000_000, Source: "header", Backfill: len(body)%2 == 0}
	was := bytes.Clone(body)
	var want, got Raw
	got.Touchpoint.Others, got.Key = []string{"left over"}, "left over" // Raw is used again and again
	wantErr, gotErr := decodeRawReference(&in, &want), DecodeRaw(&in, &got)
	got.Touchpoint.Device = ""
	if wantErr == nil && gotErr == nil {
		require.Equal(t, want, got)
	} else {
		var a, b *RawError
		require.ErrorAs(t, wantErr, &a, "only the new decoder rejects it: %v", gotErr)
		require.ErrorAs(t, gotErr, &b, "only the reference rejects it")
		require.Equal(t, [3]string{a.Reason, a.Pointer, a.Err.Error()}, [3]string{b.Reason, b.Pointer, b.Err.Error()})
		require.Equal(t, want, got, "what was read until then")
	}
	require.Equal(t, was, body, "the record is not changed")
}

// sameSeeds are bodies in which decoders differ most easily.
func sameSeeds() []string {
	deep := func(n int) string {
		return `{"type":"page","userId":"u","x":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`
	}
	seeds := []string{
		accessEvent, segmentEvent, ``, ` `, `null`, `[]`, `"text"`, `7`, `-`, `{`, `{}`, `{} x`, ` {"type":"page","userId":"u"} `, `{"type":"page","userId":"u"}}`,
		`{"type":"page","userId":"u",}`, `{,"type":"page"}`, `{"type" "page"}`, `{"type":}`, `{"a":[1,]}`, `{"a":[,1]}`, `{"a":[1 2]}`, `{"a":tru}`, `{"a":nul}`, `{"a":+1}`, `{"a":01}`, `{"a":1.}`, `{"a":.5}`, `{"a":1e}`, `{"a":-}`, `{"a":1E+5}`,
		"{\"a\":\"\x01\"}", "{\"a\":\"\xff\"}", "{\"a\":\"\\x\"}", `{"a":"\u12g4"}`, `{"a":"\u12`, "\ufeff{}", "{\"type\":\"page\",\"userId\":\"u\"}\x00",
		`{"type":"page","type":null,"userId":"u"}`, `{"type":"jump","type":"PAGE","userId":"u"}`, `{"ty\u0070e":"page","\u0075serId":"u","\u0078":1}`,
		`{"type":"page","userId":"u","context":{"page":{"url":"https://a/b"},"x":1},"context":{"locale":"de","y":[2]}}`,
		`{"type":"page","userId":"u","context":{"page":{"url":"https://a/b"},"x":1},"context":null}`,
		`{"type":"page","userId":"u","context":{"page":{"url":"https://a/b"},"x":1},"context":"none"}`,
		`{"type":"page","userId":"u","context":{"page":{"url":"https://a/b","path":"/x"},"page":{"url":null,"title":"t"},"page":[1]}}`,
		`{"type":"page","userId":"u","context":{"traits":{"a":1},"traits":[]},"traits":7}`, `{"type":"page","userId":"u","context":{"traits":{"a":1}},"traits":{}}`,
		`{"type":"page","userId":"u","context":{"traits":{"a":1}},"traits":null}`, `{"type":"page","userId":"u","context":[{"page":{"url":"x"}}]}`,
		`{"type":"page","context":{"externalIds":[{"id":"1"}],"externalIds":[{"id":"2"}]}}`, `{"type":"page","context":{"externalIds":null,"externalIds":[{"id":"2"}]}}`,
		`{"type":"page","context":"{\"externalIds\":[{\"id\":\"1\"}]}","externalIds":5,"userId":"u"}`, `{"type":"page","context":[{"externalIds":[{"id":"1"}]}],"userId":"u"}`,
		`{"type":"page","externalIds":[ 1 , "x" , [ {"id":"9"} ] , { "type" : "Email" , "type" : "phone" , "id" : null , "id" : "A@b" } , { } , {"id":"A@B","type":"email"}, {"id":77,"type":"user_id"}, {"id":true}]}`,
		`{"type":"page","userId":"u","externalIds":[` + strings.Repeat(`{"id":"a"},`, 20) + `{"id":"b"}]}`,
		`{"type":"page","userId":"u","externalIds":[{"id":"1"},{"id":"2"},{"id":"3"},{"id":"4"},{"id":"5"},{"id":"6"},{"id":"7"},{"id":"8"},{"id":"9"},{"id":"10"},{"id":"11"},{"id":"12"},{"id":"13"},{"id":"14"},{"id":"15"},{"id":"16"},{"id":"17"},{"id":"18"}]}`,
		`{"type":"track","event":"Order Completed","userId":"u","properties":{"total":5,"revenue":null}}`, `{"type":"track","event":"Order Completed","userId":"u","properties":{"total":5},"properties":{}}`,
		`{"type":"track","event":"Order Completed","userId":"u","properties":{"total":5},"properties":[]}`, `{"type":"track","event":"x","userId":"u","properties":{ },"traits":{ "a" : 1 }}`,
		`{"type":"page","userId":"u","properties":{"url":"https://a?b","title":"t\ud83d\ude00\ud83d\u0041\udc00\ud83d"},"name":"n"}`,
		`{"type":"page","userId":"u","a" : 1,"b":[ 1 , 2 ],"c":null,"context":{ "d" : null , "e" : { } , "device":{"type":"ios"}}}`,
		`{"type":"page","userId":"u","b1":1,"b2":1,"b3":1,"b4":1,"b5":1,"b6":1,"b7":1,"b8":1,"b9":1,"b10":1,"b11":1,"b12":1,"context":{"b1":1,"b2":1,"b3":1,"b4":1,"b5":1,"b6":1,"b7":1,"b8":1,"b9":1,"b10":1,"b11":1,"b12":1}}`,
		`{"type":"page","userId":"u","timestamp":1700000000,"sentAt":1700000000123.9,"originalTimestamp":1e12,"receivedAt":99999999999}`, `{"type":"page","userId":"u","timestamp":-5}`, `{"type":"page","userId":"u","timestamp":100000000000}`, `{"type":"page","userId":"u","timestamp":99999999999.9}`, `{"type":"page","userId":"u","timestamp":true}`,
		`{"type":"page","userId":"u","timestamp":"2024-02-29T23:59:59.1234567+23:59"}`, `{"type":"page","userId":"u","timestamp":"2024-02-30T00:00:00Z"}`, `{"type":"page","userId":"u","timestamp":"2024-02-28T00:00:60Z"}`,
		`{"type":"page","userId":"u","timestamp":"2024-02-28T1:02:03Z"}`, `{"type":"page","userId":"u","timestamp":"2024-02-28T01:02:03,5Z"}`, `{"type":"page","userId":"u","timestamp":"2024-02-28T01:02:03.Z"}`, `{"type":"page","userId":"u","timestamp":"2024-02-28T01:02:03\u005a"}`,
		deep(255), deep(256), strings.Repeat("[", 257) + strings.Repeat("]", 257), strings.Repeat("[", 256) + strings.Repeat("]", 256), strings.Repeat(`{"context":`, 200) + "x" + strings.Repeat("[", 300),
		`{"type":"page","userId":"u","context":{"page":{"url":` + strings.Repeat("[", 253) + strings.Repeat("]", 253) + `}}}`, `{"type":"page","userId":"u","context":{"page":{"url":` + strings.Repeat("[", 254) + strings.Repeat("]", 254) + `}}}`,
		`{"type":"page","userId":"` + strings.Repeat("é", 2000) + `","event":"` + strings.Repeat("E", 3000) + `"}`,
	}
	for _, e := range shopEvents(4) {
		seeds = append(seeds, string(e))
	}
	return seeds
}

// FuzzDecodeRawSame: the decoder reads what the plain one read, to the letter.
func FuzzDecodeRawSame(f *testing.F) {
	for _, s := range sameSeeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) { sameAsReference(t, body) })
}

// TestDecodeRawSameOnDamage: each seed with a byte changed, and cut; a short one at each byte.
func TestDecodeRawSameOnDamage(t *testing.T) {
	for _, s := range sameSeeds() {
		for i := 0; i < len(s); i += 1 + len(s)/500 {
			sameAsReference(t, []byte(s[:i]))
			for _, c := range []byte("\"\\{}[],: 0n\x1f\xc3") {
				b := []byte(s)
				b[i] = c
				sameAsReference(t, b)
			}
		}
	}
}

// TestDecodeRawSameOnDrawn: documents that no damage leads to, with members
// given twice, of every kind, escaped, and with white space anywhere.
func TestDecodeRawSameOnDrawn(t *testing.T) {
	names := []string{
		"type", "event", "name", "messageId", "anonymousId", "userId", "previousId", "externalIds", "timestamp", "originalTimestamp", "sentAt", "receivedAt",
		"channel", "actor", "source", "context", "properties", "traits", "page", "campaign", "device", "userAgent", "ip", "locale", "url", "path", "title", "referrer",
		"medium", "term", "content", "revenue", "total", "currency", "id", "x", "typ\\u0065", "é",
	}
	values := []string{
		`"page"`, `"track"`, `"Order Completed"`, `"a"`, `" 00-0 "`, `"customer"`, `"BUSINESS"`, `"2026-05-17T09:59:00.5+00:00"`, `"2026-05-17T10:05:03Z"`, `1780000000000`, `5`, `-1.5e3`, `null`, `true`, `false`,
		`""`, `"\u00e9\"\\\/"`, `"https://a.b/c?d#e"`, `{}`, `[]`, `[{"type":"email","id":"A@b.c"}]`, `"ü\ud83d\ude00"`, `"ios"`,
	}
	rapid.Check(t, func(t *rapid.T) {
		space := func(b *strings.Builder) {
			b.WriteString(rapid.SampledFrom([]string{"", "", "", "", " ", "\n\t"}).Draw(t, "space"))
		}
		var object func(b *strings.Builder, depth int)
		anything := func(b *strings.Builder, depth int) {
			space(b)
			switch rapid.IntRange(0, 9).Draw(t, "kind") {
			case 0, 1, 2:
				if depth < 4 {
					object(b, depth+1)
					break
				}
				fallthrough
			default:
				b.WriteString(rapid.SampledFrom(values).Draw(t, "value"))
			case 3:
				b.WriteByte('[')
				if n := rapid.IntRange(0, 3).Draw(t, "elements"); depth < 4 && n > 0 {
					for i := range n {
						if i > 0 {
							b.WriteByte(',')
						}
						object(b, depth+1)
					}
				}
				b.WriteByte(']')
			}
			space(b)
		}
		object = func(b *strings.Builder, depth int) {
			b.WriteByte('{')
			for i := range rapid.IntRange(0, 8).Draw(t, "members") {
				if i > 0 {
					b.WriteByte(',')
				}
				space(b)
				b.WriteString(`"` + rapid.SampledFrom(names).Draw(t, "name") + `"`)
				space(b)
				b.WriteByte(':')
				anything(b, depth)
			}
			space(b)
			b.WriteByte('}')
		}
		var b strings.Builder
		b.WriteString(`{"type":"page","userId":"u"`)
		for range rapid.IntRange(0, 12).Draw(t, "members") {
			b.WriteString(`,"` + rapid.SampledFrom(names).Draw(t, "name") + `":`)
			anything(&b, 1)
		}
		b.WriteByte('}')
		sameAsReference(t, []byte(b.String()))
	})
}

// TestTimesSame: the short way reads a time as time.Parse does, or not at all.
func TestTimesSame(t *testing.T) {
	same := func(t require.TestingT, s string) {
		ms, ok := rfc3339(s)
		if !ok {
			return
		}
		at, err := time.Parse(time.RFC3339, s)
		require.NoError(t, err, s)
		require.Equal(t, at.UnixMilli(), ms, s)
	}
	layouts := []string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05.000Z07:00", "2006-01-02T15:04:05.000000Z07:00", time.RFC3339Nano, "2006-01-02T15:04:05.0Z07:00"}
	rapid.Check(t, func(t *rapid.T) {
		zone := time.FixedZone("", rapid.IntRange(-23*60, 23*60).Draw(t, "zone")*60)
		at := time.Unix(rapid.Int64Range(-62_135_596_800, 253_402_214_400).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).In(zone)
		s := at.Format(rapid.SampledFrom(layouts).Draw(t, "layout"))
		if y := at.Year(); y >= 0 && y <= 9999 {
			_, ok := rfc3339(s)
			require.True(t, ok, s)
		}
		same(t, s)
		b := []byte(s) // and damaged
		b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] = rapid.SampledFrom([]byte("0123456789-+:.,TtZz ")).Draw(t, "byte")
		same(t, string(b))
	})
	rapid.Check(t, func(t *rapid.T) { // fractions of any length
		same(t, "2026-05-17T10:05:03."+rapid.StringMatching(`[0-9]{0,30}`).Draw(t, "fraction")+rapid.SampledFrom([]string{"Z", "-00:30", "+23:59", "+24:00", "+12:60", "z", ""}).Draw(t, "zone"))
	})
	for y := range 10_000 { // every day of every year, and those that are none
		for m := range 14 {
			for _, d := range []int{0, 1, 28, 29, 30, 31, 32} {
				var b [20]byte
				copy(b[:], "0000-00-00T00:00:00Z")
				for i, n := range []int{y / 1000, y / 100 % 10, y / 10 % 10, y % 10} {
					b[i] = byte('0' + n)
				}
				b[5], b[6], b[8], b[9] = byte('0'+m/10), byte('0'+m%10), byte('0'+d/10), byte('0'+d%10)
				s := unsafe.String(&b[0], len(b))
				ms, ok := rfc3339(s)
				at := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
				exists := at.Year() == y && int(at.Month()) == m && at.Day() == d
				if exists != ok || ok && ms != at.UnixMilli() {
					t.Fatalf("%s: %d, %v", s, ms, ok)
				}
			}
		}
	}
}
