package webhook_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/services/collector/internal/door"
	"github.com/cairnhq/cairn/services/collector/internal/mapping"
	"github.com/cairnhq/cairn/services/collector/internal/webhook"
)

const (
	examples = "../../../../schemas/examples/webhooks/"
	secret   = "a-secret-of-tests"
)

func env(name string) (string, bool) {
	return secret, !strings.HasSuffix(name, "_FILE")
}

func now() time.Time { return time.Date(2026, 11, 23, 17, 30, 0, 0, time.UTC) }

func limits() door.Limits {
	return door.Limits{EventBytes: 32 << 10, BodyBytes: 500 << 10, Events: 2500, Depth: 64}
}

// post decodes a request as the collector would, and makes its records.
func post(tb testing.TB, table *mapping.Table, source, body string, header http.Header) ([]door.Record, *webhook.Request, *door.Input, *door.Reject) {
	tb.Helper()
	d := webhook.Door(webhook.Options{Table: func() *mapping.Table { return table }, Now: now})
	in := &door.Input{Method: http.MethodPost, Path: "/webhook/" + source, Header: header, Body: []byte(body), Reserve: func(int64) bool { return true }}
	q := d.New().(*webhook.Request)
	if rej := q.Decode(in, limits()); rej != nil {
		return nil, q, in, rej
	}
	var out []door.Record
	m := &door.Meta{ReceivedAt: now(), Source: "key-of-" + source}
	for i := range q.Len() {
		rec, _ := q.Append(i, m, nil)
		out = append(out, rec)
	}
	return out, q, in, nil
}

func parse(tb testing.TB, text string) *mapping.Table {
	tb.Helper()
	table, err := mapping.Parse([]byte(text), "w.yaml", env)
	require.NoError(tb, err)
	return table
}

func sign(parts ...string) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(strings.Join(parts, "")))
	return mac.Sum(nil)
}

// TestExamples is what docs/webhooks.md shows.
func TestExamples(t *testing.T) {
	table, err := mapping.Load(examples+"webhooks.yaml", env)
	require.NoError(t, err)
	for _, c := range []struct {
		source, file, golden string
		header               func(body string) http.Header
		answer               string
	}{
		{"till", "till.json", "till.out.ndjson", func(body string) http.Header {
			return http.Header{"X-Till-Signature": {"sha256=" + hex.EncodeToString(sign(body))}}
		}, `"items":5,"skipped":2,"rejected":2`},
		{"calls", "calls.form", "calls.out.ndjson", func(string) http.Header {
			return http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
		}, `"items":1,"skipped":0,"rejected":0`},
		{"crm", "crm.json", "crm.out.ndjson", func(body string) http.Header {
			at := strconv.FormatInt(now().Unix(), 10)
			return http.Header{"X-Crm-Signature": {"t=" + at + ",v1=00,v1=" + hex.EncodeToString(sign(at, ".", body))}}
		}, `"items":2,"skipped":1,"rejected":0`},
	} {
		t.Run(c.source, func(t *testing.T) {
			body, err := os.ReadFile(examples + c.file)
			require.NoError(t, err)
			records, _, in, rej := post(t, table, c.source, string(body), c.header(string(body)))
			require.Nil(t, rej)
			var got bytes.Buffer
			var rejects []*door.Reject
			for _, rec := range records {
				if rec.Reject != nil {
					rejects = append(rejects, rec.Reject)
					line, err := json.Marshal(map[string]any{"rejected": rec.Reject.String(), "reason": rec.Reject.Code, "kept": json.RawMessage(rec.Value)})
					require.NoError(t, err)
					got.Write(append(line, '\n'))
					continue
				}
				got.Write(append(bytes.Clone(rec.Value), '\n'))
				requireRaw(t, rec)
			}
			if os.Getenv("CAIRN_TEST_UPDATE") != "" {
				require.NoError(t, os.WriteFile(examples+c.golden, got.Bytes(), 0o600))
			}
			want, err := os.ReadFile(examples + c.golden)
			require.NoError(t, err)
			require.Equal(t, string(want), got.String())

			w := httptest.NewRecorder()
			webhook.Door(webhook.Options{}).Answer.Accepted(w, in, rejects)
			require.Contains(t, w.Body.String(), c.answer)
		})
	}
}

// TestTheDocsShowTheExamples: what the page quotes is what is tested.
func TestTheDocsShowTheExamples(t *testing.T) {
	file, err := os.ReadFile(examples + "webhooks.yaml")
	require.NoError(t, err)
	page, err := os.ReadFile("../../../../docs/webhooks.md")
	require.NoError(t, err)
	_, page, _ = bytes.Cut(page, []byte("## Examples"))
	blocks := strings.Split(string(page), "```yaml\n")[1:]
	require.Len(t, blocks, 3)
	for _, b := range blocks {
		block, _, _ := strings.Cut(b, "```")
		require.Contains(t, string(file), block)
	}
}

// requireRaw checks that the device step takes a record, under its key.
func requireRaw(tb testing.TB, rec door.Record) *wire.Raw {
	tb.Helper()
	var raw wire.Raw
	require.NoError(tb, wire.DecodeRaw(&wire.RawRecord{Value: rec.Value, Arrival: now().UnixMilli()}, &raw), "%s", rec.Value)
	require.Equal(tb, raw.Key, string(rec.Key))
	return &raw
}

const hmacHead = "version: 1\nsources:\n  s:\n    event: e\n    user_id: u\n    auth: {hmac: {header: X-Sig, secret_env: S, "

func TestOnlyTheRightSignatureIsTaken(t *testing.T) {
	body := `{"u":"1"}`
	right := sign(body)
	wrong := bytes.Clone(right)
	wrong[31] ^= 1
	stamp := strconv.FormatInt(now().Unix(), 10)
	old := strconv.FormatInt(now().Add(-6*time.Minute).Unix(), 10)
	for _, c := range []struct{ name, conf, value, refused string }{
		{"hex", "encoding: hex", hex.EncodeToString(right), ""},
		{"hex in capitals", "encoding: hex", strings.ToUpper(hex.EncodeToString(right)), ""},
		{"base64, as Shopify", "encoding: base64", base64.StdEncoding.EncodeToString(right), ""},
		{"prefix, as GitHub", `prefix: "sha256="`, "sha256=" + hex.EncodeToString(right), ""},
		{"Stripe", "scheme: stripe", "t=" + stamp + ",v1=" + hex.EncodeToString(sign(stamp, ".", body)), ""},
		{"missing", "encoding: hex", "", "header is missing"},
		{"one bit", "encoding: hex", hex.EncodeToString(wrong), "is wrong"},
		{"cut off", "encoding: hex", hex.EncodeToString(right[:16]), "is wrong"},
		{"no prefix", `prefix: "sha256="`, hex.EncodeToString(right), "is wrong"},
		{"no hex", "encoding: hex", "zz", "is wrong"},
		{"another secret", "encoding: base64", base64.StdEncoding.EncodeToString(hmac.New(sha256.New, []byte("x")).Sum(nil)), "is wrong"},
		{"Stripe, replayed", "scheme: stripe", "t=" + old + ",v1=" + hex.EncodeToString(sign(old, ".", body)), "five minutes"},
		{"Stripe, another time", "scheme: stripe", "t=" + old + ",v1=" + hex.EncodeToString(sign(stamp, ".", body)), "is wrong"},
		{"Stripe, no time", "scheme: stripe", "v1=" + hex.EncodeToString(sign(".", body)), "five minutes"},
		{"Stripe, no code", "scheme: stripe", "t=" + stamp, "is wrong"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := http.Header{}
			if c.value != "" {
				h.Set("X-Sig", c.value)
			}
			records, q, _, rej := post(t, parse(t, hmacHead+c.conf+"}}\n"), "s", body, h)
			if c.refused == "" {
				require.Nil(t, rej)
				require.Len(t, records, 1)
				require.Equal(t, "s", q.SignedBy())
				return
			}
			require.NotNil(t, rej)
			require.Equal(t, door.CodeUnauthorized, rej.Code)
			require.Contains(t, rej.Message, c.refused)
			require.Empty(t, q.SignedBy())
			require.Zero(t, q.Len())
		})
	}
}

const plain = "version: 1\nsources:\n  s:\n    event: e\n    user_id: u\n"

func TestBodies(t *testing.T) {
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	for _, c := range []struct {
		name, body string
		header     http.Header
		code       string
		values     []string // of the items' users; "!" for one that is rejected
	}{
		{"an object", `{"u":"1"}`, nil, "", []string{"1"}},
		{"a list", ` [{"u":"1"},{"u":2}]`, nil, "", []string{"1", "2"}},
		{"a bad item does not fail the others", `[{"u":"1"},5,{"x":1},{"u":"2"}]`, nil, "", []string{"1", "!", "!", "2"}},
		{"an empty list", `[]`, nil, "", nil},
		{"a form", `u=1&x=2&x=3`, form, "", []string{"1"}},
		{"JSON that is said to be a form", `{"u":"1"}`, form, "", []string{"1"}},
		{"XML", `<a/>`, nil, door.CodeBadEncoding, nil},
		{"XML by type", `x`, http.Header{"Content-Type": {"text/xml"}}, door.CodeBadEncoding, nil},
		{"broken", "{\"u\":\n 1,,}", nil, door.CodeBadJSON, nil},
		{"nothing", ``, nil, door.CodeBadJSON, nil},
		{"too many", "[" + strings.Repeat("1,", 2500) + "1]", nil, door.CodeTooManyEvents, nil},
		{"an item too large", `{"u":"` + strings.Repeat("x", 33<<10) + `"}`, nil, "", []string{"!"}},
		{"an item too deep", `{"u":"1","d":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}`, nil, "", []string{"!"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.header == nil {
				c.header = http.Header{}
			}
			records, _, _, rej := post(t, parse(t, plain), "s", c.body, c.header)
			if c.code != "" {
				require.NotNil(t, rej)
				require.Equal(t, c.code, rej.Code)
				return
			}
			require.Nil(t, rej)
			var got []string
			for _, rec := range records {
				if rec.Reject != nil {
					require.Contains(t, c.body, string(rec.Value), "it is kept whole")
					got = append(got, "!")
					continue
				}
				got = append(got, requireRaw(t, rec).Key)
			}
			require.Equal(t, c.values, got)
		})
	}
	_, _, _, rej := post(t, parse(t, plain), "s", "{\"u\":\n 1,,}", http.Header{})
	require.Contains(t, rej.Message, "line 2, column 4")
	_, _, _, rej = post(t, parse(t, plain), "other", "{}", http.Header{})
	require.Equal(t, door.CodeNotFound, rej.Code)
	_, _, _, rej = post(t, nil, "s", "{}", http.Header{})
	require.Equal(t, door.CodeNotFound, rej.Code)
}

// TestAnItemWithoutAnIDKeepsItsOwn: a body that is sent again brings the same
// ids, and equal items of one body are not one.
func TestAnItemWithoutAnIDKeepsItsOwn(t *testing.T) {
	table := parse(t, plain+"    items: list\n    timestamp: $.at\n")
	ids := func(body string) []string {
		records, _, _, rej := post(t, table, "s", body, http.Header{})
		require.Nil(t, rej)
		var out []string
		for _, rec := range records {
			require.Nil(t, rec.Reject)
			out = append(out, idOf(t, rec))
		}
		return out
	}
	const body = `{"at":"2026-11-23T10:00:00Z","list":[{"u":"1"},{"u":"1"},{"u":"2"}]}`
	first := ids(body)
	require.Len(t, first, 3)
	require.NotEqual(t, first[0], first[1])
	require.NotEqual(t, first[0], first[2])
	require.Equal(t, first, ids(body))
	require.NotEqual(t, first, ids(strings.Replace(body, "10:00", "11:00", 1)), "what stands around an item tells it from another")
	require.LessOrEqual(t, len(first[0]), door.MaxMessageID)
}

func TestOwnIDsAreTheSources(t *testing.T) {
	long := strings.Repeat("9", 200)
	table := parse(t, plain+"    message_id: \"{a}/{b}\"\n")
	for body, want := range map[string]string{
		`{"u":"1","a":7,"b":"x"}`:            "s:7/x",
		`{"u":"1","a":7}`:                    "", // half an id is none
		`{"u":"1","a":"` + long + `","b":1}`: "",
	} {
		records, _, _, rej := post(t, table, "s", body, http.Header{})
		require.Nil(t, rej)
		require.Nil(t, records[0].Reject)
		if want != "" {
			require.Equal(t, want, idOf(t, records[0]))
		} else {
			require.Len(t, idOf(t, records[0]), len("s:")+32)
		}
	}
}

func idOf(tb testing.TB, rec door.Record) string {
	tb.Helper()
	var v struct {
		MessageID string `json:"messageId"`
	}
	require.NoError(tb, json.Unmarshal(rec.Value, &v))
	return v.MessageID
}

// FuzzApply: whatever a system sends, each item is a touchpoint that the device
// step takes, or is rejected whole; and the same body makes the same records.
func FuzzApply(f *testing.F) {
	for _, file := range []string{"till.json", "crm.json"} {
		body, err := os.ReadFile(examples + file)
		require.NoError(f, err)
		f.Add(body)
	}
	f.Add([]byte(`[{"u":{"a":1},"id":"null","n":1e999,"at":99999999999999999999,"l":[[{"x":[null]}]]}]`))
	f.Add([]byte(`{"u":"\ud800","id":"x","n":"1e9","at":"1","when":0,"e":"\u0000","list":[1,null,{"u":"a"}]}`))
	const shape = "    message_id: \"{id}-{$.store.id}\"\n    user_id: u\n    external_ids: [{type: email, path: 'contact.email'}, {type: x, path: 'customer.card'}]\n" +
		"    revenue: {path: n, divide: 100}\n    timestamp: {path: at, format: unix}\n    traits: {all: 'l[*][0].x', d: \"l[0]\"}\n"
	table := parse(f, "version: 1\nsources:\n  a:\n    event: {path: e, default: seen}\n    when: 'item.u != \"skip\" || item.n > 1 || true'\n"+shape+
		"  b:\n    event: e\n    items: receipts\n    properties: {x: 'lines[*].sku', y: $}\n"+shape)
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, source := range []string{"a", "b"} {
			records, _, _, rej := post(t, table, source, string(body), http.Header{})
			if rej != nil {
				continue
			}
			again, _, _, _ := post(t, table, source, string(body), http.Header{})
			require.Equal(t, records, again)
			for _, rec := range records {
				if rec.Reject == nil {
					requireRaw(t, rec)
				} else {
					require.Contains(t, string(body), string(rec.Value))
				}
			}
		}
	})
}

// TestAConditionCostsNoMoreThanItsItems: the body is read once for all of them.
func TestAConditionCostsNoMoreThanItsItems(t *testing.T) {
	table := parse(t, "version: 1\nsources:\n  s: {event: e, user_id: u, items: list, when: 'item.n >= 0 && body.ok'}\n")
	items := make([]string, 2500)
	for i := range items {
		items[i] = `{"u":"1","n":1,"a":[1,2,3,4,5,6,7,8,9,10,11,12],"b":{"c":1,"d":2,"e":3,"f":4}}`
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	out, _, _, rej := post(t, table, "s", `{"ok":true,"list":[`+strings.Join(items, ",")+`]}`, nil)
	runtime.ReadMemStats(&after)
	require.Nil(t, rej)
	require.Len(t, out, len(items))
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(256<<20))
}
