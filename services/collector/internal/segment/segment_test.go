package segment_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/services/collector/internal/door"
	"github.com/cairnhq/cairn/services/collector/internal/segment"
)

func received() time.Time {
	return time.Date(2026, 11, 23, 10, 0, 0, 123_000_000, time.FixedZone("CET", 3600))
}

func limits() door.Limits { return door.Limits{EventBytes: 4096, Events: 10, Depth: 5} }

// records decodes a body and builds all its records.
func records(t *testing.T, call, body string) []door.Record {
	t.Helper()
	var q segment.Request
	rej := q.Decode(&door.Input{Body: []byte(body), Kind: call}, limits())
	require.Nil(t, rej, "%v", rej)
	meta := &door.Meta{ReceivedAt: received(), Source: "shop"}
	var out []door.Record
	var dst []byte
	for i := range q.Events {
		var rec door.Record
		rec, dst = q.Append(i, meta, dst)
		if rec.Reject == nil {
			require.True(t, json.Valid(rec.Value), "%s", rec.Value)
		}
		out = append(out, rec)
	}
	return out
}

// one is the only record of a batch of one event.
func one(t *testing.T, event string) door.Record {
	t.Helper()
	recs := records(t, "", `{"batch":[`+event+`]}`)
	require.Len(t, recs, 1)
	return recs[0]
}

func TestTouchpointHasOurFieldsAndKeepsTheRest(t *testing.T) {
	recs := records(t, "", `{"sentAt":"2026-11-23T09:00:01.5Z","writeKey":"k","context":{"app":"x","library":{"name":"batch"}},"integrations":{"All":true},
		"batch":[{"type":"track","event":"Order Completed","messageId":"m-1","anonymousId":"a1","userId":7,"timestamp":"2026-11-23T09:00:00.000Z",
		"sentAt":"2020-01-01T00:00:00Z","receivedAt":"1999-01-01T00:00:00Z","source":"mine","context":{"ip":"203.0.113.77","library":{"name":"own"}},
		"integrations":{"All":false},"properties":{"revenue":1.50,"big":12345678901234567890},"x":[1 ,2],"_metadata":{"a\u0062":null}}]}`)
	require.Len(t, recs, 1)
	require.Equal(t, "a1", string(recs[0].Key))
	//nolint:testifylint // the bytes count: order, numbers and escapes stay
	require.Equal(t, `{"messageId":"m-1","type":"track","anonymousId":"a1","userId":"7","event":"Order Completed",`+
		`"originalTimestamp":"2026-11-23T09:00:00.000Z","sentAt":"2026-11-23T09:00:01.5Z","receivedAt":"2026-11-23T09:00:00.123Z","source":"shop",`+
		`"context":{"ip":"203.0.113.0","library":{"name":"own"},"app":"x","source":"mine"},"integrations":{"All":false},`+
		`"properties":{"revenue":1.50,"big":12345678901234567890},"x":[1 ,2],"_metadata":{"a\u0062":null}}`, string(recs[0].Value))
}

func TestSingleCallTakesItsTypeFromTheRouteAndLosesItsKey(t *testing.T) {
	recs := records(t, "page", `{"writeKey":"secret","userId":"u1","messageId":"m","sentAt":"2026-11-23T09:00:00Z","type":"track"}`)
	require.Equal(t, `{"messageId":"m","type":"page","userId":"u1","sentAt":"2026-11-23T09:00:00Z","receivedAt":"2026-11-23T09:00:00.123Z","source":"shop"}`, string(recs[0].Value)) //nolint:testifylint // the order of our members counts
	recs = records(t, "page", `{"writeKey":"secret", "messageId":"m"}`)
	require.Equal(t, `{"writeKey":"[removed]", "messageId":"m"}`, string(recs[0].Value)) //nolint:testifylint // the bytes count: the text is passed on as it came
	require.Equal(t, door.CodeNoIdentifier, recs[0].Reject.Code)
}

// A touchpoint without a type or in capitals is taken straight from Kafka as well.
func TestTypesThatTheDeviceStepReadsToo(t *testing.T) {
	require.Contains(t, string(one(t, `{"event":"E","userId":"u"}`).Value), `"type":"track"`)
	require.Contains(t, string(one(t, `{"type":"Page","userId":"u","actor":"BUSINESS"}`).Value), `"type":"page"`)
}

func TestPrimaryIdentifierIsTheKey(t *testing.T) {
	for _, c := range []struct{ ids, key string }{
		{`"anonymousId":"a","userId":"u"`, "a"},
		{`"anonymousId":null,"userId":"u"`, "u"},
		{`"anonymousId":"  undefined ","userId":"u"`, "u"},
		{`"anonymousId":"00000000-0000-0000-0000-000000000000","userId":"u"`, "u"},
		{`"anonymousId":" a\u0062\ud83d\ude00 "`, "ab😀"},
		{`"userId":42`, "42"},
		{`"userId":42.0`, "42"},
		{`"userId":4.2e1`, "42"},
		{`"userId":-1,"externalIds":[{"type":"loyalty","id":"L1"}]`, "L1"},
		{`"userId":0,"anonymousId":false,"externalIds":[{"id":"none","type":"x"},{"type":"email","id":" Ann@Example.com"}]`, "ann@example.com"},
		{`"externalIds":[{"type":"phone","id":4930123}]`, "4930123"},
		{`"context":{"externalIds":[{"type":"loyalty","id":"L2"}]}`, "L2"},
		{`"anonymousId":"first","anonymousId":"last"`, "last"},
		{`"\u0075serId":"escaped"`, "escaped"},
	} {
		rec := one(t, `{"type":"page","messageId":"m",`+c.ids+`}`)
		require.Nil(t, rec.Reject, "%s: %v", c.ids, rec.Reject)
		require.Equal(t, c.key, string(rec.Key), c.ids)
	}
	rec := one(t, `{"type":"page","messageId":"m","context":{"externalIds":[{"type":"loyalty","id":"L2"}],"a":1}}`)
	require.Contains(t, string(rec.Value), `"externalIds":[{"type":"loyalty","id":"L2"}],`)
	require.Contains(t, string(rec.Value), `"context":{"a":1}`)
}

func TestBadEventsSayWhyAndWhere(t *testing.T) {
	const ok = `{"type":"page","messageId":"m","userId":"u"}`
	for _, c := range []struct{ event, code, pointer string }{
		{`7`, door.CodeBadField, ""},
		{`null`, door.CodeBadField, ""},
		{`{"type":"page"}`, door.CodeNoIdentifier, ""},
		{`{"type":"page","userId":"anonymous"}`, door.CodeNoIdentifier, ""},
		{`{"type":"page","externalIds":[]}`, door.CodeNoIdentifier, ""},
		{`{"type":"page","userId":{"a":1}}`, door.CodeBadField, "/userId"},
		{`{"type":"page","anonymousId":"a","userId":[]}`, door.CodeBadField, "/userId"},
		{`{"type":"page","externalIds":{"email":"x"}}`, door.CodeBadField, "/externalIds"},
		{`{"type":"page","externalIds":["x"]}`, door.CodeBadField, "/externalIds"},
		{`{"type":"page","externalIds":[{"id":{}}]}`, door.CodeBadField, "/externalIds"},
		{`{"userId":"u"}`, door.CodeBadType, "/type"},
		{`{"type":"page","userId":"u","actor":"robot"}`, door.CodeBadActor, "/actor"},
		{`{"type":"page","userId":"u","timestamp":"1066-10-14T09:00:00Z"}`, door.CodeBadTime, "/timestamp"},
		{`{"type":"page","userId":"u","timestamp":99999999999999}`, door.CodeBadTime, "/timestamp"},
		{`{"type":"buy","userId":"u"}`, door.CodeBadType, "/type"},
		{`{"type":5,"userId":"u"}`, door.CodeBadType, "/type"},
		{`{"type":"track","userId":"u"}`, door.CodeNoEvent, "/event"},
		{`{"type":"track","userId":"u","event":""}`, door.CodeNoEvent, "/event"},
		{`{"type":"track","userId":"u","event":{}}`, door.CodeBadField, "/event"},
		{`{"type":"page","userId":"u","properties":"x"}`, door.CodeBadField, "/properties"},
		{`{"type":"page","userId":"u","traits":[1]}`, door.CodeBadField, "/traits"},
		{`{"type":"page","userId":"u","context":true}`, door.CodeBadField, "/context"},
		{`{"type":"page","userId":"u","messageId":{}}`, door.CodeBadField, "/messageId"},
		{`{"type":"page","userId":"u","messageId":"` + strings.Repeat("ä", 101) + `"}`, door.CodeBadMessageID, "/messageId"},
		{`{"type":"page","userId":"u","timestamp":"yesterday"}`, door.CodeBadTime, "/timestamp"},
		{`{"type":"page","userId":"u","timestamp":true}`, door.CodeBadTime, "/timestamp"},
		{`{"type":"page","userId":"u","originalTimestamp":"2026-13-01T00:00:00Z"}`, door.CodeBadTime, "/originalTimestamp"},
		{`{"type":"page","userId":"u","a":[[[[[1]]]]]}`, door.CodeTooDeep, ""},
		{`{"type":"page","userId":"u","a":"` + strings.Repeat("x", 4096) + `"}`, door.CodeTooLarge, ""},
		{"{\"type\":\"page\",\"userId\":\"u\xff\"}", door.CodeBadJSON, ""},
	} {
		recs := records(t, "", `{"batch":[`+ok+`, `+c.event+` ,`+ok+`]}`)
		require.Len(t, recs, 3, c.event)
		require.Nil(t, recs[0].Reject)
		require.Nil(t, recs[2].Reject)
		rej := recs[1].Reject
		require.NotNil(t, rej, c.event)
		require.Equal(t, c.code, rej.Code, c.event)
		require.Equal(t, "/batch/1"+c.pointer, rej.Pointer, c.event)
		require.NotEmpty(t, rej.Message)
		require.Equal(t, c.event, string(recs[1].Value), "a rejected event is kept as it came")
	}
}

func TestBadBodiesSayWhere(t *testing.T) {
	for _, c := range []struct{ call, body, code, pointer, message string }{
		{"", ``, door.CodeBadJSON, "", "unexpected end"},
		{"", `[]`, door.CodeBadJSON, "", "must be a JSON object"},
		{"", `{}`, door.CodeNoBatch, "/batch", "no list called batch"},
		{"", `{"batch":{}}`, door.CodeBadField, "/batch", "a list of events"},
		{"", `{"batch":[],"batch":[]}`, door.CodeBadJSON, "/batch", "two members"},
		{"", `{"batch":[]} x`, door.CodeBadJSON, "", "line 1, column 14"},
		{"", `{"batch":[{"a":1},` + "\n" + `{"b":[1,}]}`, door.CodeBadJSON, "/batch/1/b", "line 2, column 9"},
		{"", `{"batch":[{"a":1},{"context":{"ip":}}]}`, door.CodeBadJSON, "/batch/1/context", "at byte 35"},
		{"", `{"batch":[` + strings.Repeat(`{},`, 10) + `{}]}`, door.CodeTooManyEvents, "/batch", "10 events"},
		{"", `{"context":7,"batch":[]}`, door.CodeBadField, "/context", "an object"},
		{"", `{"batch":[],"a/b~":tru}`, door.CodeBadJSON, "/a~1b~0", "a value is needed"},
		{"track", `{"userId":"u"`, door.CodeBadJSON, "", "unexpected end"},
		{"track", `{"userId":"u" "a":1}`, door.CodeBadJSON, "", "at byte 14"},
	} {
		var q segment.Request
		rej := q.Decode(&door.Input{Body: []byte(c.body), Kind: c.call}, limits())
		require.NotNil(t, rej, c.body)
		require.Equal(t, c.code, rej.Code, c.body)
		require.Equal(t, c.pointer, rej.Pointer, c.body)
		require.Contains(t, rej.Message, c.message, c.body)
	}
}

func TestTimes(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`"timestamp":"2026-11-23T09:00:00.123456+00:00"`, `"originalTimestamp":"2026-11-23T09:00:00.123456+00:00",`},
		{`"originalTimestamp":"2026-11-23T09:00:00Z"`, `"originalTimestamp":"2026-11-23T09:00:00Z",`},
		// RudderStack: the caller's time beside the device's.
		{`"timestamp":"2026-11-20T00:00:00Z","originalTimestamp":"2026-11-23T09:00:00Z"`, `"timestamp":"2026-11-20T00:00:00Z","originalTimestamp":"2026-11-23T09:00:00Z",`},
		{`"timestamp":null`, ``},
		{`"timestamp":""`, ``},
		{`"timestamp":"2026-11-23 09:00:00"`, `"originalTimestamp":"2026-11-23T09:00:00Z",`},
		{`"timestamp":"2026-11-23T09:00:00.5+0200"`, `"originalTimestamp":"2026-11-23T09:00:00.5+02:00",`},
		{`"timestamp":1795424400123`, `"originalTimestamp":"2026-11-23T09:00:00.123Z",`},
		{`"timestamp":1795424400`, `"originalTimestamp":"2026-11-23T09:00:00Z",`},
		{`"sentAt":"2026-11-23T09:00:00Z"`, `"sentAt":"2026-11-23T09:00:00Z",`},
		{`"sentAt":"rubbish"`, ``},
	} {
		rec := one(t, `{"type":"page","messageId":"m","userId":"u",`+c.in+`}`)
		require.Nil(t, rec.Reject, "%s: %v", c.in, rec.Reject)
		require.Equal(t, `{"messageId":"m","type":"page","userId":"u",`+c.want+`"receivedAt":"2026-11-23T09:00:00.123Z","source":"shop"}`, string(rec.Value), c.in)
	}
}

func TestMintedMessageIDs(t *testing.T) {
	const timed = `{"type":"page","userId":"u","timestamp":"2026-11-23T09:00:00.123Z"}`
	const untimed = `{"type":"page","userId":"u"}`
	const named = `{"type":"page","userId":"u","messageId":" undefined "}`
	id := func(r door.Record) string {
		var m struct{ MessageID string }
		require.NoError(t, json.Unmarshal(r.Value, &m))
		require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, m.MessageID)
		return m.MessageID
	}
	body := fmt.Sprintf(`{"batch":[%s,%s,%s,%s]}`, timed, timed, untimed, named)
	first, again := records(t, "", body), records(t, "", `{"sentAt":"2026-11-23T09:01:00Z",`+body[1:])
	require.Equal(t, id(first[0]), id(again[0]), "a batch sent again has the same ids")
	require.Equal(t, id(first[1]), id(again[1]))
	require.NotEqual(t, id(first[0]), id(first[1]), "equal events of one batch stay two")
	require.Equal(t, fmt.Sprintf("%012x", 1795424400123), strings.ReplaceAll(id(first[0])[:13], "-", ""))
	require.NotEqual(t, id(first[2]), id(again[2]), "without a time nothing tells a repetition from a retry")
	require.NotEqual(t, id(first[3]), id(again[3]))
}

func TestContextOfTheConnection(t *testing.T) {
	meta := &door.Meta{ReceivedAt: received(), Source: "s", IP: "198.51.100.0", UserAgent: `Mozilla/5.0 "x"`}
	for _, c := range []struct{ in, want string }{
		{``, `"context":{"ip":"198.51.100.0","userAgent":"Mozilla/5.0 \"x\""}`},
		{`"context":null,`, `"context":{"ip":"198.51.100.0","userAgent":"Mozilla/5.0 \"x\""}`},
		{`"context":{"ip":"2001:db8:1:2::7","userAgent":"own"},`, `"context":{"ip":"2001:db8:1::","userAgent":"own"}`},
		{`"context":{"\u0069p":"192.0.2.9:443","ip":" 192.0.2.9","userAgent":null},`, `"context":{"ip":"192.0.2.0","ip":"192.0.2.0","userAgent":"Mozilla/5.0 \"x\""}`},
		{`"context":{"ip":"192.0.2.9, 10.0.0.1"},`, `"context":{"ip":"198.51.100.0","userAgent":"Mozilla/5.0 \"x\""}`},
		{`"context":{"ip":["192.0.2.9"]},`, `"context":{"ip":"198.51.100.0","userAgent":"Mozilla/5.0 \"x\""}`},
	} {
		var q segment.Request
		require.Nil(t, q.Decode(&door.Input{Body: []byte(`{"messageId":"m",` + c.in + `"userId":"u"}`), Kind: "page"}, limits()))
		rec, _ := q.Append(0, meta, nil)
		require.Nil(t, rec.Reject)
		require.Contains(t, string(rec.Value), c.want+`}`, c.in)
	}
}

func TestBatchContextCountsForTheLimit(t *testing.T) {
	shared := `{"context":{"a":"` + strings.Repeat("x", 4000) + `"},"batch":[{"type":"page","userId":"u","p":"` + strings.Repeat("y", 200) + `"}]}`
	recs := records(t, "", shared)
	require.Equal(t, door.CodeTooLarge, recs[0].Reject.Code)
	many := `{"batch":[],"context":{"k":1` + strings.Repeat(`,"k":1`, 256) + `}}`
	var q segment.Request
	require.Equal(t, door.CodeTooLarge, q.Decode(&door.Input{Body: []byte(many), Kind: ""}, limits()).Code)
}
