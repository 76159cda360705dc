package collector_test

import (
	"encoding/base64"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const (
	soakMaxEvents = 200
	soakMapping   = `version: 1
sources:
  till: {items: items, event: receipt, message_id: id, user_id: customer, timestamp: at}
`
)

func soakKey(source string) string { return "key-of-" + source }

func basic(source string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(soakKey(source)+":"))
}

// soakSources are the doors, each of which writes as a source of its own, and the
// slow clients.
func soakSources() []string {
	return append(slices.Sorted(maps.Keys(soakDoors())), slowSource)
}

// soakDoors draw requests of about n events, some of them bad.
func soakDoors() map[string]func(id string, n int, random *rand.Rand) ask {
	return map[string]func(string, int, *rand.Rand) ask{
		"segment": func(id string, n int, random *rand.Rand) ask {
			bad := spoiled(n, random)
			return ask{source: "segment", path: "/v1/batch", headers: []string{"Authorization", basic("segment")}, body: soakBatch("", id, n, bad), want: 200, good: n - bad, bad: bad}
		},
		"single": func(id string, _ int, random *rand.Rand) ask {
			q := ask{source: "single", path: "/v1/track", headers: []string{"Authorization", basic("single")}, body: soakTrack(id, false), want: 200, good: 1}
			if random.IntN(2) == 0 {
				q.body, q.want, q.good, q.bad = soakTrack(id, true), 400, 0, 1
			}
			return q
		},
		"monster": func(id string, _ int, random *rand.Rand) ask {
			body, want := monster(id, random)
			return ask{source: "monster", path: "/v1/track", headers: []string{"Authorization", basic("monster")}, body: body, want: want, bad: 1}
		},
		"limited": func(id string, n int, _ *rand.Rand) ask {
			return ask{source: "limited", path: "/v1/b", headers: []string{"Content-Type", "text/plain"}, body: soakBatch(soakKey("limited"), id, n, 0), want: 200, or: 429, good: n}
		},
		"rudder": func(id string, n int, random *rand.Rand) ask {
			bad := spoiled(n, random)
			return ask{source: "rudder", path: "/beacon/v1/batch?writeKey=" + soakKey("rudder"), body: soakBatch("", id, n, bad), want: 200, good: n - bad, bad: bad}
		},
		"posthog": func(id string, n int, random *rand.Rand) ask {
			bad := spoiled(n, random)
			body := fmt.Sprintf(`{"api_key":%q,"batch":[%s]}`, soakKey("posthog"), list(id, n, bad, func(id string, bad bool) string {
				return fmt.Sprintf(`{"event":"E","distinct_id":"u-1","uuid":%q,"timestamp":%q}`, id, moment(bad))
			}))
			return ask{source: "posthog", path: "/batch/", body: body, want: 200, good: n - bad, bad: bad}
		},
		"snowplow": func(id string, n int, random *rand.Rand) ask {
			bad := spoiled(n, random)
			body := `{"schema":"x","data":[` + list(id, n, bad, func(id string, bad bool) string {
				dtm := "1795417200000"
				if bad {
					dtm = "now"
				}
				return fmt.Sprintf(`{"e":"pv","uid":"u-1","aid":%q,"eid":%q,"dtm":%q}`, soakKey("snowplow"), id, dtm)
			}) + "]}"
			return ask{source: "snowplow", path: trackerPath, body: body, want: 200, good: n - bad, bad: bad}
		},
		"cloudevents": func(id string, n int, random *rand.Rand) ask {
			bad := spoiled(n, random)
			body := "[" + list(id, n, bad, func(id string, bad bool) string {
				return fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"/s","type":"t","time":%q,"data":{"userId":"u-1"}}`, id, moment(bad))
			}) + "]"
			return ask{
				source: "cloudevents", path: "/cloudevents", body: body, want: 200, good: n - bad, bad: bad,
				headers: []string{"Authorization", basic("cloudevents"), "Content-Type", "application/cloudevents-batch+json"},
			}
		},
		"pixel": func(id string, _ int, _ *rand.Rand) ask {
			query := url.Values{"writeKey": {soakKey("pixel")}, "userId": {"u-1"}, "messageId": {id}}
			return ask{source: "pixel", method: http.MethodGet, path: "/pixel.gif?" + query.Encode(), want: 200, good: 1}
		},
		"webhook": func(id string, n int, random *rand.Rand) ask {
			bad := spoiled(n, random)
			body := `{"items":[` + list(id, n, bad, func(id string, bad bool) string {
				return fmt.Sprintf(`{"id":%q,"customer":"u-1","at":%q}`, id, moment(bad))
			}) + "]}"
			return ask{source: "webhook", path: "/webhook/till", headers: []string{"X-Api-Key", soakKey("webhook")}, body: body, want: 200, good: n - bad, bad: bad}
		},
		"import": func(id string, n int, random *rand.Rand) ask {
			bad := spoiled(n, random)
			body := strings.ReplaceAll(list(id, n, bad, soakTrack), "},{", "}\n{")
			// Four at once: a further one is told to come again.
			return ask{source: "import", path: "/import", headers: []string{"X-Api-Key", soakKey("import")}, body: body, want: 200, or: 503, good: n - bad, bad: bad}
		},
	}
}

// spoiled is how many of n events are bad: mostly none.
func spoiled(n int, random *rand.Rand) int {
	if random.IntN(3) > 0 {
		return 0
	}
	return 1 + random.IntN(n)
}

// moment is a time, or none.
func moment(bad bool) string {
	if bad {
		return "soon"
	}
	return "2026-11-23T07:00:00.000Z"
}

// soakTrack is an event of Segment's.
func soakTrack(id string, bad bool) string {
	return fmt.Sprintf(`{"type":"track","event":"E","userId":"u-1","messageId":%q,"originalTimestamp":%q,"properties":{"note":%q}}`, id, moment(bad), strings.Repeat("n", 300))
}

// soakBatch is one of Segment's; a key of "" stands elsewhere.
func soakBatch(key, id string, n, bad int) string {
	return fmt.Sprintf(`{"writeKey":%q,"batch":[%s]}`, key, list(id, n, bad, soakTrack))
}

// list has n events, of which the first are bad.
func list(id string, n, bad int, event func(id string, bad bool) string) string {
	events := make([]string, n)
	for i := range events {
		events[i] = event(fmt.Sprintf("%s-%d", id, i), i < bad)
	}
	return strings.Join(events, ",")
}

// monster is an event that is too large, too deep or too wide, and its answer.
func monster(id string, random *rand.Rand) (body string, want int) {
	want = http.StatusBadRequest
	var inside string
	switch random.IntN(3) {
	case 0:
		want = http.StatusRequestEntityTooLarge
		inside = `"large":"` + strings.Repeat("x", 33<<10+random.IntN(100<<10)) + `"`
	case 1:
		inside = `"deep":` + nested(65+random.IntN(10_000))
	default:
		var b strings.Builder
		for i := range 2001 + random.IntN(500) {
			fmt.Fprintf(&b, `"%x":1,`, i)
		}
		inside = b.String() + `"wide":1`
	}
	return fmt.Sprintf(`{"event":"E","userId":"u-1","messageId":%q,"properties":{%s}}`, id, inside), want
}

// nested is lists within lists.
func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }
