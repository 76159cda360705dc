package mapping_test

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/services/collector/internal/door"
	"github.com/cairnhq/cairn/services/collector/internal/mapping"
)

func env(name string) (string, bool) {
	v, ok := map[string]string{"GOOD": "a-good-secret", "SHORT": "x"}[name]
	return v, ok
}

const head = "version: 1\nsources:\n  s:\n    event: e\n    user_id: u\n"

// TestWrongMappingsNameTheirPlace: each mistake is told with line and column.
func TestWrongMappingsNameTheirPlace(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "w.yaml: the file is empty"},
		{"no YAML", "version: 1\nsources: {a: [}", "w.yaml:2:"},
		{"a list", "- 1\n", "w.yaml:1:1: the file must be a mapping"},
		{"no version", "sources: {}\n", `w.yaml:1:1: "version: 1" is missing`},
		{"another version", "version: 2\nsources: {}\n", "w.yaml:1:10: version 2 is not known"},
		{"an unknown key at the top", "version: 1\nsources: {}\nsource: {}\n", `w.yaml:3:1: unknown key "source" in the file (it may have version, sources)`},
		{"two documents", "version: 1\nsources: {}\n---\na: 1\n", "w.yaml:4:1: a mapping file is one document"},
		{"a source that is no word", "version: 1\nsources:\n  My Till: {event: e, user_id: u}\n", "w.yaml:3:3: the source \"My Till\" cannot stand in an URL"},
		{"a source twice", head + "  s: {event: e, user_id: u}\n", `w.yaml:6:3: `},
		{"an unknown key", head + "    evnt: e\n", `w.yaml:6:5: unknown key "evnt" in source s`},
		{"a key without a value", head + "    channel:\n", `w.yaml:6:5: "channel" has no value`},
		{"no event", "version: 1\nsources:\n  s:\n    user_id: u\n", "w.yaml:3:3: source s has no event"},
		{"nobody", "version: 1\nsources:\n  s:\n    event: e\n", "w.yaml:3:3: source s names nobody"},
		{"a type that is none", head + "    type: tracked\n", `w.yaml:6:11: type cannot be "tracked"`},
		{"a type of a map that is none", head + "    type: {path: a, map: {x: tracked}}\n", `type cannot be "tracked"`},
		{"an actor that is none", head + "    actor: robot\n", `w.yaml:6:12: actor cannot be "robot": want customer, business`},
		{"a path that is none", head + "    anonymous_id: a..b\n", `w.yaml:6:19: anonymous_id: "a..b" is no path`},
		{"a bracket without an end", head + "    anonymous_id: a[1\n", `w.yaml:6:19: `},
		{"a position that is none", head + "    anonymous_id: a[-1]\n", `[-1] is neither a position nor [*]`},
		{"a brace without an end", head + "    message_id: \"{a\"\n", `w.yaml:6:17: message_id: a brace of "{a" is not closed`},
		{"a path in braces that is none", head + "    message_id: \"{a.}\"\n", `w.yaml:6:17: message_id: "a." is no path`},
		{"a path and a value", head + "    currency: {path: a, value: EUR}\n", "w.yaml:6:25: currency has a path and a value"},
		{"neither", head + "    currency: {default: EUR}\n", "w.yaml:6:15: currency needs a path or a value"},
		{"an unknown key of a value", head + "    currency: {paths: a}\n", `w.yaml:6:16: unknown key "paths" in currency`},
		{"items with [*]", head + "    items: a[*].b\n", "w.yaml:6:12: items: [*] is not for items"},
		{"items that are the body", head + "    items: $\n", "w.yaml:6:12: items: leave it out"},
		{"a condition that is none", head + "    when: item.a ==\n", "w.yaml:6:"},
		{"a condition's unknown name", head + "    when: item.a > 1 && order.b\n", "w.yaml:6:25: when: undeclared reference to 'order'"},
		{"a quoted one", head + "    when: 'item.a > 1 && order.b'\n", "w.yaml:6:26: when: undeclared reference to 'order'"},
		{"a condition that is no truth", head + "    when: 1 + 1\n", "w.yaml:6:11: when: the condition must be true or false"},
		{"a zone", head + "    timestamp: {path: a, zone: Berlin}\n", "w.yaml:6:32: timestamp.zone"},
		{"a format without a day", head + "    timestamp: {path: a, format: \"%H:%M\"}\n", "w.yaml:6:34: timestamp.format: \"%H:%M\" tells no year"},
		{"an unknown directive", head + "    timestamp: {path: a, format: \"%Q\"}\n", "%Q is not supported"},
		{"a word for a format", head + "    timestamp: {path: a, format: iso}\n", "w.yaml:6:34: timestamp.format: \"iso\" tells no year"},
		{"a division", head + "    revenue: {path: a, divide: 7}\n", "w.yaml:6:32: revenue.divide cannot be \"7\""},
		{"properties", head + "    properties: all\n", "w.yaml:6:17: properties cannot be \"all\": want item"},
		{"an external id without a type", head + "    external_ids: [{path: a}]\n", "w.yaml:6:20: an external id has a type and a path"},
		{"auth", head + "    auth: none\n", "w.yaml:6:11: auth cannot be \"none\": want write_key"},
		{"auth without a secret", head + "    auth: {hmac: {header: X}}\n", "w.yaml:6:18: auth.hmac has no secret_env"},
		{"a secret that nobody set", head + "    auth: {hmac: {header: X, secret_env: MISSING}}\n", "w.yaml:6:42: the secret has no value: set the environment variable MISSING"},
		{"a short secret", head + "    auth: {hmac: {header: X, secret_env: SHORT}}\n", "w.yaml:6:42: the secret in SHORT is shorter than 8 bytes"},
		{"an algorithm", head + "    auth: {hmac: {header: X, algorithm: md5, secret_env: GOOD}}\n", "w.yaml:6:41: algorithm cannot be \"md5\": want sha256"},
		{"a header", head + "    auth: {hmac: {header: \"X Y\", secret_env: GOOD}}\n", "w.yaml:6:27: \"X Y\" is no name of a header"},
		{"a source of a write key", head + "    source: x\n", "w.yaml:6:5: source goes with auth.hmac"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := mapping.Parse([]byte(c.text), "w.yaml", env)
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "a-good-secret")
		})
	}
	_, err := mapping.Parse([]byte(head+"    evnt: e\n    actor: robot\n"), "w.yaml", env)
	require.ErrorContains(t, err, "w.yaml:6:5")
	require.ErrorContains(t, err, "w.yaml:7:12", "all mistakes are told at once")
}

func TestSecretsComeFromFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(file, []byte("a-good-secret\n"), 0o600))
	lookup := func(name string) (string, bool) {
		if name == "S_FILE" {
			return file, true
		}
		return "", false
	}
	table, err := mapping.Parse([]byte(head+"    auth: {hmac: {header: X, secret_env: S}}\n"), "w.yaml", lookup)
	require.NoError(t, err)
	require.NotNil(t, table.Find("s").Signature)
}

// apply makes the touchpoint of an item by a source's further lines.
func apply(t *testing.T, more, item string) (door.Touchpoint, *door.Reject) {
	t.Helper()
	table, err := mapping.Parse([]byte(head+more), "w.yaml", env)
	require.NoError(t, err)
	v, err := mapping.Decode([]byte(item))
	require.NoError(t, err)
	var out door.Touchpoint
	rej := table.Find("s").Apply(&mapping.Item{Value: v, Body: v}, &out)
	return out, rej
}

func TestTimes(t *testing.T) {
	berlin := time.Date(2026, 7, 1, 10, 0, 0, 0, time.UTC) // 12:00 there
	for _, c := range []struct{ format, at, want string }{
		{"", `"2026-07-01T12:00:00+02:00"`, ""},
		{", zone: Europe/Berlin", `"2026-07-01T12:00:00"`, ""},
		{", zone: Europe/Berlin", `"2026-07-01 12:00"`, ""},
		{", zone: Europe/Berlin", `"2026-07-01T10:00:00Z"`, ""},
		{", format: unix", `1782900000`, ""},
		{", format: unix", `"1782900000.0"`, ""},
		{", format: unix_ms", `1782900000000`, ""},
		{`, format: "%d.%m.%Y %H:%M", zone: Europe/Berlin`, `"01.07.2026 12:00"`, ""},
		{`, format: "%Y%m%dT%H%M%S%z"`, `"20260701T120000+0200"`, ""},
		{`, format: "02.01.2006 15:04", zone: Europe/Berlin`, `"01.07.2026 12:00"`, ""},
		{`, format: "%b %d, %Y %I:%M %p", zone: America/New_York`, `"Jul 01, 2026 06:00 AM"`, ""},
		{"", `"yesterday"`, "bad_time"},
		{", format: unix", `"2026-07-01"`, "bad_time"},
		{", format: unix", `1e400`, "bad_time"},
		{", format: unix", `99999999999999999999999999`, "bad_time"},
		{`, format: "%d.%m.%Y"`, `"31.02.2026"`, "bad_time"},
	} {
		got, rej := apply(t, "    timestamp: {path: at"+c.format+"}\n", `{"at":`+c.at+`}`)
		if c.want != "" {
			require.NotNil(t, rej, "%s %s", c.format, c.at)
			require.Equal(t, c.want, rej.Code)
			continue
		}
		require.Nil(t, rej, "%s %s: %v", c.format, c.at, rej)
		require.True(t, berlin.Equal(got.Timestamp), "%s %s is %v", c.format, c.at, got.Timestamp)
	}
	got, rej := apply(t, "    timestamp: at\n", `{"at":null}`)
	require.Nil(t, rej)
	require.True(t, got.Timestamp.IsZero(), "none: the arrival counts")
}

func TestAmountsAreExact(t *testing.T) {
	for _, c := range []struct{ conf, value, want string }{
		{"", `49.90`, "49.9"},
		{"", `"49.90"`, "49.9"},
		{"", `0.1`, "0.1"},
		{"", `-5`, "-5"},
		{"", `100`, "100"},
		{", divide: 100", `4990`, "49.9"},
		{", divide: 100", `"1"`, "0.01"},
		{", divide: 1000", `7`, "0.007"},
		{`, decimal: ","`, `"1.234,50"`, "1234.5"},
		{"", `"EUR 5"`, ""},
		{"", `1e5`, ""},
		{"", `"1/3"`, ""},
		{"", `true`, ""},
		{"", `{"a":1}`, ""},
	} {
		got, rej := apply(t, "    revenue: {path: n"+c.conf+"}\n    properties: {x: n}\n", `{"n":`+c.value+`}`)
		if c.want == "" {
			require.NotNil(t, rej, c.value)
			require.Equal(t, door.CodeBadField, rej.Code)
			continue
		}
		require.Nil(t, rej)
		require.Equal(t, json.Number(c.want), got.Properties.(map[string]any)["revenue"])
	}
}

func TestPathsAndValues(t *testing.T) {
	const item = `{"u":"1","a":{"b":[{"c":"x"},{"c":null},{"c":"y"}],"odd.name":7},"n":12345678901234567890,"t":true,"none":null,"e":""}`
	for _, c := range []struct {
		conf string
		want any
	}{
		{"a.b[0].c", "x"},
		{"a.b[2].c", "y"},
		{"a.b[9].c", nil},
		{"a.b.c", nil},
		{"u.x", nil},
		{"a.b[*].c", []any{"x", "y"}},
		{"none[*]", nil},
		{`'a["odd.name"]'`, json.Number("7")},
		{"n", json.Number("12345678901234567890")},
		{"t", true},
		{"none", nil},
		{"e", nil},
		{"$.u", "1"},
		{`"{u}-{t}-{n}"`, "1-true-12345678901234567890"},
		{`"{u}-{none}"`, nil},
		{"{path: none, default: d}", "d"},
		{"{path: u, map: {1: one}}", "one"},
		{"{path: u, map: {2: two}}", nil},
		{"{path: u, map: {2: two}, default: more}", "more"},
		{"{path: t, map: {true: yes}}", "yes"},
		{"{value: EUR}", "EUR"},
	} {
		got, rej := apply(t, "    properties:\n      x: "+c.conf+"\n", item)
		require.Nil(t, rej)
		if c.want == nil {
			require.Nil(t, got.Properties, c.conf)
			continue
		}
		require.Equal(t, map[string]any{"x": c.want}, got.Properties, c.conf)
	}
}

func TestEventsOfAMap(t *testing.T) {
	table, err := mapping.Parse([]byte("version: 1\nsources:\n  s:\n    event: {path: k, map: {won: contract_signed}}\n    user_id: u\n"), "w.yaml", env)
	require.NoError(t, err)
	for k, want := range map[string]string{"won": "contract_signed", "lost": ""} {
		var tp door.Touchpoint
		rej := table.Find("s").Apply(&mapping.Item{Value: map[string]any{"k": k, "u": "1"}}, &tp)
		if want == "" {
			require.Equal(t, door.CodeNoEvent, rej.Code)
			continue
		}
		require.Nil(t, rej)
		require.Equal(t, want, tp.Event)
	}
}

func TestConditions(t *testing.T) {
	for when, want := range map[string]bool{
		`item.n > 1`: true, `item.n > 5`: false, `item.n == 3`: true, `item.missing > 1`: false, `has(item.missing)`: false, `!has(item.missing)`: true,
		`item.t == "x" && body.n < 3.5`: true, `item.t > 1`: false, `item.l.exists(i, i.k == "b")`: true, `size(item.l) == 2`: true,
		`item.none == null`: false,
	} {
		table, err := mapping.Parse([]byte(head+"    when: '"+strings.ReplaceAll(when, "'", "''")+"'\n"), "w.yaml", env)
		require.NoError(t, err, when)
		v, err := mapping.Decode([]byte(`{"n":3,"t":"x","l":[{"k":"a"},{"k":"b"}],"none":null}`))
		require.NoError(t, err)
		require.Equal(t, want, table.Find("s").Wanted(&mapping.Item{Value: v, Body: v}), when)
	}
}

func TestColumns(t *testing.T) {
	header := []string{"Customer No", "Date", "timestamp", "Total", "note", "Event"}
	for _, c := range []struct{ name, query, want string }{
		{"mapped", "map=user_id:Customer+No&map=timestamp:Date&map=revenue:Total&timestamp_format=%25d.%25m.%25Y&time_zone=Europe/Berlin", ""},
		{"a constant", "map=user_id:Customer+No&map=event:%3Dorder_completed", ""},
		{"nobody", "", "no column names a customer"},
		{"an unknown column", "map=user_id:Customer", `there is no column "Customer"`},
		{"an unknown field", "map=user:Note", `there is no column`},
		{"an unknown field of a column", "map=user:note", `there is no field "user"`},
		{"no rule", "map=user_id", "want FIELD:COLUMN"},
		{"a format", "map=user_id:note&timestamp_format=%25H", "timestamp_format"},
		{"a zone", "map=user_id:note&time_zone=Nowhere", "time_zone"},
	} {
		q, err := url.ParseQuery(c.query)
		require.NoError(t, err)
		s, err := mapping.Columns(header, q)
		if c.want != "" {
			require.ErrorContains(t, err, c.want, c.name)
			continue
		}
		require.NoError(t, err, c.name)
		var tp door.Touchpoint
		rej := s.Apply(&mapping.Item{Value: map[string]any{"Customer No": "7", "Date": "01.07.2026", "Total": "5.50", "note": "n", "Event": "e"}}, &tp)
		require.Nil(t, rej)
		require.Equal(t, "7", tp.UserID)
		if c.name == "mapped" {
			require.Equal(t, "e", tp.Event)
			require.Equal(t, map[string]any{"note": "n", "revenue": json.Number("5.5")}, tp.Properties)
			require.Equal(t, "2026-06-30T22:00:00Z", tp.Timestamp.UTC().Format(time.RFC3339))
		} else {
			require.Equal(t, "order_completed", tp.Event)
		}
	}
}
