//go:build linux

package e2e

import (
	"context"
	"maps"
	"path/filepath"
)

// client is one that applications use, and what its story must become. In rows
// P stands for the run's prefix.
type client struct {
	name     string
	needs    string // one of the needs; "": Go alone
	script   string // of a browser: its name
	tell     func(ctx context.Context, r *telling, s *stage) error
	faults   []fault           // of the flaky run; none: there is none
	repeats  bool              // sends everything twice by itself
	rows     map[string]row    // step -> touchpoint
	rejected map[string]string // step -> reason
	group    string            // channel group of the session; "": not checked
	lateUser bool              // an event that is sent again names the user of that moment
}

// allClients are the clients of the issue, at the versions that the lock files
// and go.mod name.
func allClients() []client {
	nobody := map[string]string{"bad": "no_identifier"}
	huge := map[string]string{"bad": "too_large"}
	schemaless := map[string]string{"bad": "no_event"}
	const email = "Email"
	return []client{
		{name: "segment-node", needs: needsNode, tell: node("segment"), faults: allFaults(), rows: segmentRows("@segment/analytics-node"), rejected: nobody, group: email},
		{name: "rudder-node", needs: needsNode, tell: node("rudder"), faults: allFaults(), rows: segmentRows("analytics-node"), rejected: nobody, group: email},
		{name: "posthog-node", needs: needsNode, tell: node("posthog"), faults: allFaults(), rows: posthogRows("posthog-node"), rejected: nobody, group: email},
		{name: "snowplow-node", needs: needsNode, tell: node("snowplow"), faults: allFaults(), rows: snowplowRows("snowplow-node", ""), rejected: schemaless, group: email},
		{name: "segment-python", needs: needsPython, tell: python("segment"), faults: allFaults(), rows: segmentRows("analytics-python"), rejected: nobody, group: email},
		{name: "rudder-python", needs: needsPython, tell: python("rudder"), faults: allFaults(), rows: segmentRows("analytics-python"), rejected: nobody, group: email},
		{name: "posthog-python", needs: needsPython, tell: python("posthog"), faults: allFaults(), rows: posthogRows("posthog-python"), rejected: nobody, group: email},
		{name: "snowplow-python", needs: needsPython, tell: python("snowplow"), faults: allFaults(), rows: snowplowRows("snowplow-py", orderNote), rejected: schemaless, group: email},
		{
			name: "segment-browser", needs: needsBrowser, script: "segment", tell: inBrowser, faults: allFaults(),
			rows: segmentBrowserRows(), rejected: huge, group: email, lateUser: true,
		},
		// posthog-js drops what is answered 429.
		{
			name: "posthog-browser", needs: needsBrowser, script: "posthog", tell: inBrowser, faults: []fault{{status: 503, retryAfter: "1"}, {status: 503, retryAfter: "1", lost: true}},
			rows: posthogBrowserRows(), rejected: huge, group: email,
		},
		{name: "snowplow-browser", needs: needsBrowser, script: "snowplow", tell: inBrowser, faults: allFaults(), rows: snowplowBrowserRows(), rejected: schemaless, group: email},
		{name: "cloudevents-go", tell: cloudEvents, faults: allFaults(), rows: cloudEventRows(), rejected: nobody},
		{name: "kafka-go", tell: kafkaGo, repeats: true, rows: rawRows(), rejected: map[string]string{"bad": "bad_type"}, group: email},
		{name: "franz-go", tell: franzGo, repeats: true, rows: rawRows(), rejected: map[string]string{"bad": "bad_type"}, group: email},
	}
}

func node(name string) func(context.Context, *telling, *stage) error {
	return func(ctx context.Context, r *telling, s *stage) error {
		return script(ctx, r, "node", filepath.Join(s.scripts, "node", name+".mjs"))
	}
}

func python(name string) func(context.Context, *telling, *stage) error {
	return func(ctx context.Context, r *telling, s *stage) error {
		return script(ctx, r, s.python, filepath.Join(s.scripts, "python", "tell_"+name+".py"))
	}
}

// The story's words, as the scripts have them.
const (
	landing      = "/gr%C3%BC%C3%9Fe?utm_source=news&utm_medium=email&utm_campaign=fr%C3%BChling"
	productNote  = "Größe 42 🥾"
	traitsNote   = "Zoë"
	orderNote    = `"für dich"`
	orderRevenue = "49.9 EUR"
)

// with is all rows with something done to each.
func with(rows map[string]row, do func(*row)) map[string]row {
	out := maps.Clone(rows)
	for step, w := range out {
		do(&w)
		out[step] = w
	}
	return out
}

// segmentRows is the story in Segment's calls, from a server.
func segmentRows(library string) map[string]row {
	return with(map[string]row{
		"page": {
			Who: "anonymous:Pa", Type: "page", Event: "page_viewed", Channel: "web",
			Page: "https://shop.example" + landing, Title: "Grüße 日本", Referrer: "https://www.google.com/", Campaign: "news/email/frühling",
		},
		"product":  {Who: "anonymous:Pa", Type: "track", Event: "product_viewed", Channel: "other", Note: productNote},
		"identify": {Who: "anonymous:Pa", User: "Pu", Type: "identify", Event: "identify", Channel: "other", Note: traitsNote},
		"order":    {Who: "anonymous:Pa", User: "Pu", Type: "track", Event: "order_completed", Channel: "other", Revenue: orderRevenue, Note: orderNote},
		"group":    {Who: "user:Pu", User: "Pu", Type: "group", Event: "group", Channel: "other"},
		"alias":    {Who: "user:Pu", User: "Pu", Type: "alias", Event: "alias", Channel: "other", Previous: "Pold"},
		"screen":   {Who: "anonymous:Pa", User: "Pu", Type: "screen", Event: "screen_viewed", Channel: "app", Title: "Cart"},
	}, func(w *row) { w.Library = library })
}

// rawRows is the same, written to Kafka without an SDK.
func rawRows() map[string]row { return segmentRows("") }

// inBrowserTab is what a browser adds to every event: the page that it is on,
// which was found by a search engine.
func inBrowserTab(rows map[string]row) map[string]row {
	return with(rows, func(w *row) {
		w.Channel, w.Page, w.Title, w.Referrer = "web", "http://shop.example/P/"+landing[1:], "Grüße 日本", "http://search.example/"
		w.Campaign = "news/email/frühling"
	})
}

func segmentBrowserRows() map[string]row {
	rows := segmentRows("analytics.js")
	delete(rows, "screen")
	return with(inBrowserTab(rows), func(w *row) { w.Who = "anonymous:Pa" })
}

// posthogRows is the story in PostHog's calls, from a server.
func posthogRows(library string) map[string]row {
	rows := segmentRows(library)
	delete(rows, "screen")
	rows["identify"] = row{Who: "user:Pu", User: "Pu", Type: "identify", Event: "identify", Channel: "other", Note: traitsNote, Library: library}
	rows["order"] = row{Who: "user:Pu", User: "Pu", Type: "track", Event: "order_completed", Channel: "other", Revenue: orderRevenue, Note: orderNote, Library: library}
	rows["alias"] = row{Who: "anonymous:Pa", User: "Pu", Type: "alias", Event: "alias", Channel: "other", Previous: "Pa", Library: library}
	return rows
}

func posthogBrowserRows() map[string]row {
	rows := segmentBrowserRows()
	rows["alias"] = row{Who: "anonymous:Pold", User: "Pu", Type: "alias", Event: "alias", Previous: "Pold"}
	rows["left"] = row{Who: "anonymous:Pa", User: "Pu", Type: "track", Event: "pageleave", Untold: true}
	return titleOfPagesOnly(with(inBrowserTab(rows), func(w *row) { w.Library = "web" }))
}

// snowplowRows is the story in Snowplow's events. Those of transactions have no
// room for a note.
func snowplowRows(library, note string) map[string]row {
	rows := segmentRows(library)
	delete(rows, "group")
	delete(rows, "alias")
	rows["identify"] = row{Who: "anonymous:Pa", User: "Pu", Type: "track", Event: "signed_in", Channel: "other", Library: library}
	order := rows["order"]
	order.Note = note
	rows["order"] = order
	return rows
}

func snowplowBrowserRows() map[string]row {
	rows := snowplowRows("snowplow-js", orderNote)
	delete(rows, "screen")
	return titleOfPagesOnly(inBrowserTab(rows))
}

// titleOfPagesOnly is for clients that send the title with page views only.
func titleOfPagesOnly(rows map[string]row) map[string]row {
	return with(rows, func(w *row) {
		if w.Type != "page" {
			w.Title = ""
		}
	})
}

func cloudEventRows() map[string]row {
	rows := segmentRows("")
	for _, step := range []string{"page", "group", "alias", "screen"} {
		delete(rows, step)
	}
	rows["identify"] = row{Who: "anonymous:Pa", User: "Pu", Type: "track", Event: "signed_in", Channel: "other"}
	return rows
}
