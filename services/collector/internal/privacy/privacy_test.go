package privacy_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/services/collector/internal/pii"
	"github.com/cairnhq/cairn/services/collector/internal/privacy"
	"github.com/cairnhq/cairn/services/collector/internal/sources"
)

func event(context string) []byte {
	return []byte(`{"messageId":"m1","type":"page","anonymousId":"a1","userId":"u1","receivedAt":"2026-11-23T10:00:00.000Z","source":"shop","context":` + context + `,"properties":{"p":1}}`)
}

func TestConsentInEveryForm(t *testing.T) {
	for context, want := range map[string][3]string{ // on_missing accept, drop, anonymise
		`{}`:                {"kept", "dropped", "anonymised"},
		`{"consent":null}`:  {"kept", "dropped", "anonymised"},
		`{"consent":"yes"}`: {"kept", "dropped", "anonymised"},
		`{"consent":{"categoryPreferences":{"Analytics":true,"ads":true}}}`:                      {"kept", "kept", "kept"},
		`{"consent":{"categoryPreferences":{"analytics":true,"ads":false}}}`:                     {"dropped", "dropped", "anonymised"},
		`{"consent":{"categoryPreferences":{"analytics":true}}}`:                                 {"kept", "dropped", "anonymised"},
		`{"consent":{"categoryPreferences":{"analytics":"true","ads":null}}}`:                    {"kept", "dropped", "anonymised"},
		`{"consent":{"analytics":true,"ads":true}}`:                                              {"kept", "kept", "kept"},
		`{"consent":{"analytics":true,"ads":true,"categoryPreferences":{"ads":false}}}`:          {"dropped", "dropped", "anonymised"},
		`{"consent":{"status":"granted"}}`:                                                       {"kept", "kept", "kept"},
		`{"consent":{"status":"pending"}}`:                                                       {"kept", "dropped", "anonymised"},
		`{"consent":{"status":"denied","analytics":true,"ads":true}}`:                            {"dropped", "dropped", "anonymised"},
		`{"consent":{"status":"granted","ads":false}}`:                                           {"dropped", "dropped", "anonymised"},
		`{"consentManagement":{"allowedConsentIds":["ads"," ANALYTICS"],"deniedConsentIds":[]}}`: {"kept", "kept", "kept"},
		`{"consentManagement":{"allowedConsentIds":["analytics"],"deniedConsentIds":["ads"]}}`:   {"dropped", "dropped", "anonymised"},
	} {
		for i, missing := range []string{sources.Accept, sources.Drop, sources.Anonymise} {
			r := privacy.Rules{Required: []string{"analytics", "ads"}, OnMissing: missing}
			value, key, why := r.Screen(event(context), []byte("a1"), false)
			got := "kept"
			switch {
			case why == privacy.ReasonConsent:
				got = "dropped"
			case strings.HasPrefix(string(key), privacy.AnonymousPrefix):
				got = "anonymised"
			default:
				require.Equal(t, string(event(context)), string(value))
			}
			require.Equal(t, want[i], got, "%s, on_missing %s", context, missing)
		}
	}
}

func TestDoNotTrack(t *testing.T) {
	r := privacy.Rules{DoNotTrack: sources.Drop}
	_, _, why := r.Screen(event(`{}`), []byte("a1"), false)
	require.Equal(t, privacy.ReasonDoNotTrack, why)
	_, _, why = r.Screen([]byte("not even JSON"), nil, true)
	require.Equal(t, privacy.ReasonDoNotTrack, why, "a rejected event is stored no more than a good one")
	r = privacy.Rules{DoNotTrack: sources.Anonymise, Required: []string{"x"}, OnMissing: sources.Drop}
	_, _, why = r.Screen(event(`{}`), []byte("a1"), false)
	require.Equal(t, privacy.ReasonConsent, why, "the stricter rule counts")
	r = privacy.Rules{DoNotTrack: sources.Ignore}
	require.True(t, r.Idle())
}

func TestAnonymisedTouchpointsHaveNobody(t *testing.T) {
	in := `{"messageId":"m1","type":"track","event":"Order Completed","anonymousId":"SECRET","userId":"SECRET","previousId":"SECRET","groupId":"SECRET",
		"externalIds":[{"type":"email","id":"SECRET"}],"originalTimestamp":"2026-11-23T10:00:00Z","sentAt":"2026-11-23T10:00:01Z","receivedAt":"2026-11-23T10:00:02Z","source":"shop",
		"channel":"web","traits":{"email":"SECRET"},"unknown":"SECRET",
		"context":{"ip":"SECRET","userAgent":"SECRET","traits":{"a":"SECRET"},"device":{"id":"SECRET"},"campaign":{"source":"mail"},"consent":{"ads":false},
			"page":{"url":"https://shop.example/x?email=SECRET#SECRET","referrer":"https://a.example/?q=SECRET","search":"?email=SECRET","title":"X"}},
		"properties":{"revenue":12.50,"url":"https://shop.example/x?SECRET","email":"SECRET"}}`
	rules, err := pii.Compile([]pii.Rule{{Path: "properties.email", Do: pii.Drop}}, nil)
	require.NoError(t, err)
	r := privacy.Rules{DoNotTrack: sources.Anonymise, PII: rules, Secret: []byte("s")}
	value, key, why := r.Screen([]byte(in), []byte("SECRET"), false)
	require.Empty(t, why)
	require.NotContains(t, string(value)+string(key), "SECRET")
	var out struct {
		MessageID, AnonymousID, Type, Event, OriginalTimestamp, ReceivedAt string
		Context                                                            struct {
			Anonymised bool
			Campaign   struct{ Source string }
			Page       struct{ URL, Title string }
		}
		Properties struct{ Revenue json.Number }
	}
	require.NoError(t, json.Unmarshal(value, &out))
	require.Equal(t, string(key), out.AnonymousID)
	require.Equal(t, "m1", out.MessageID)
	require.Equal(t, "Order Completed", out.Event)
	require.Equal(t, "mail", out.Context.Campaign.Source)
	require.Equal(t, "https://shop.example/x", out.Context.Page.URL)
	require.Equal(t, "12.50", out.Properties.Revenue.String())
	require.True(t, out.Context.Anonymised)

	_, again, _ := r.Screen([]byte(in), []byte("SECRET"), false)
	require.Equal(t, key, again, "the same event sent again counts once")
	_, other, _ := r.Screen([]byte(strings.Replace(in, "m1", "m2", 1)), []byte("SECRET"), false)
	require.NotEqual(t, key, other, "nothing ties two together")
	for _, call := range []string{"identify", "group", "alias"} {
		_, _, why := r.Screen([]byte(strings.Replace(in, `"track"`, `"`+call+`"`, 1)), []byte("SECRET"), false)
		require.Equal(t, privacy.ReasonDoNotTrack, why, "%s is nothing but identity", call)
	}
}

// TestAnonymisedPropertiesHaveNobody: what the doors keep whole tells who it was,
// too.
func TestAnonymisedPropertiesHaveNobody(t *testing.T) {
	in := `{"messageId":"till:SECRET-1:7","type":"track","event":"E","anonymousId":"Device-SECRET","userId":"4711","externalIds":[{"type":"loyalty","id":"L-\u0034711"}],
		"source":"shop","properties":{"distinct_id":"SECRET","$device_id":"x-SECRET","$user_id":1,"$current_url":"https://shop.example/x?SECRET","$referrer":"https://a.example/#SECRET",
		"customer":{"no":4711,"card":" l-4711 ","Email":"SECRET","url":"/account/?SECRET"},"list":[4711,"device-secret",{"ref":"order of DEVICE-SECRET"}],
		"revenue":4711,"products":[{"sku":"T-1","quantity":2.50}],"note":"tent?","ok":true,"none":null},
		"context":{"page":{"url":"https://shop.example/u/4711/x","search":"?SECRET","title":"X"}}}`
	in = strings.Replace(in, "till:SECRET-1:7", "till:L-4711:7", 1)
	r := privacy.Rules{DoNotTrack: sources.Anonymise}
	value, _, why := r.Screen([]byte(in), []byte("Device-SECRET"), false)
	require.Empty(t, why)
	require.NotContains(t, strings.ToLower(string(value)), "secret")
	require.NotContains(t, strings.ToLower(string(value)), "l-4711")
	var out struct {
		MessageID, AnonymousID string
		Properties             json.RawMessage
		Context                struct{ Page map[string]any }
	}
	require.NoError(t, json.Unmarshal(value, &out))
	require.Equal(t, out.AnonymousID, out.MessageID, "a message id that has an identifier in it")
	require.Equal(t, map[string]any{"title": "X"}, out.Context.Page)
	require.Contains(t, string(out.Properties), "2.50", "numbers keep their digits")
	require.JSONEq(t, `{"$current_url":"https://shop.example/x","$referrer":"https://a.example/","customer":{"url":"/account/"},"list":[{}],"none":null,"note":"tent?","ok":true,`+
		`"products":[{"quantity":2.50,"sku":"T-1"}],"revenue":4711}`, string(out.Properties))
}

func TestRejectedEvents(t *testing.T) {
	rules, err := pii.Compile([]pii.Rule{{Path: "properties.email", Do: pii.Drop}}, nil)
	require.NoError(t, err)
	r := privacy.Rules{PII: rules}
	value, key, why := r.Screen([]byte(`{"e":{"email":"a@b"}}`), nil, true)
	require.Empty(t, why)
	require.Nil(t, key)
	require.Equal(t, `{"e":{}}`, string(value)) //nolint:testifylint // the bytes count
	r = privacy.Rules{PII: rules, DoNotTrack: sources.Anonymise}
	_, _, why = r.Screen([]byte(`{"e":1}`), nil, true)
	require.Equal(t, privacy.ReasonDoNotTrack, why)
}
