// Package enrich adds to a touchpoint what follows from it alone: why the customer
// came (campaign, click id, referrer, channel group), device, browser and place,
// robot and asset flags, the channel where none is given, and what privacy takes
// away.
//
// It runs in the device step, so that records written straight to Kafka get the
// same as those of the collector. But for an operator's files, which Load reads, it
// does no I/O. Functions and Rules are safe for concurrent use, an Enricher is not:
// each task has its own.
package enrich

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strings"

	"github.com/cairnhq/cairn/pkg/journey"
)

// Enricher holds what the rules need, and what it has seen lately. The zero
// value hashes nothing and has the built-in rules. It is not safe for concurrent use.
type Enricher struct {
	// Secret keys the HMAC-SHA256 under which emails and phone numbers are
	// stored; empty: they are stored as they are. Rules may be shared; nil: those
	// of Builtin. Neither must change once the Enricher is used.
	Secret []byte
	Rules  *Rules

	agents cache[string, *agent]
	hosts  cache[string, *host]
	groups cache[reason, string]
	places cache[string, *journey.Place]
	mac    hash.Hash // keyed with Secret; nil before the first use
	buf    []byte
}

// prepare makes the zero value ready.
func (e *Enricher) prepare() {
	if e.Rules == nil {
		e.Rules = Builtin()
	}
	e.agents.size, e.agents.own = maxAgents/2, strings.Clone
	e.hosts.size, e.hosts.own = maxHosts/2, strings.Clone
	e.groups.size, e.groups.own = maxReasons/2, reason.clone
	e.places.size, e.places.own = maxPlaces/2, strings.Clone
}

// Apply enriches t in place. Applying it twice hashes twice: do it once. What it
// adds follows from t, the secret and the rules alone.
//
// The user agent decides the class of device; where there is none, or it does
// not tell, Device stays as the decoder found it in the SDK's context.
func (e *Enricher) Apply(t *journey.Touchpoint) {
	if e.agents.size == 0 {
		e.prepare()
	}
	if t.UserAgent != "" {
		a := e.agent(t.UserAgent)
		if a.class != Other || t.Device == "" {
			t.Device = a.class
		}
		t.Agent = a.Agent
	}
	if t.Device == Robot {
		t.Flags |= journey.FlagBot
	}
	if t.Type == "page" && Asset(t.Page.Path) {
		t.Flags |= journey.FlagAsset
	}
	if t.Channel == "" {
		t.Channel = channel(t)
	}
	e.traffic(t)
	t.IP = TruncateIP(t.IP)
	if e.Rules.places != nil && t.IP != "" {
		t.Place = *e.place(t.IP)
	}
	t.Identifier = e.hide(t.Identifier)
	for i, id := range t.Others {
		t.Others[i] = e.hide(id)
	}
}

// hide replaces an email or phone number by its keyed hash.
func (e *Enricher) hide(id string) string {
	if len(e.Secret) == 0 {
		return id
	}
	kind, value := journey.SplitIdentifier(id)
	if kind != journey.KindEmail && kind != journey.KindPhone {
		return id
	}
	if e.mac == nil {
		e.mac = hmac.New(sha256.New, e.Secret)
	}
	e.mac.Reset()
	e.buf = append(e.buf[:0], value...)
	e.mac.Write(e.buf)
	sum := e.mac.Sum(e.buf[:0])
	e.buf = hex.AppendEncode(append(append(sum, kind...), ':'), sum)
	return string(e.buf[len(sum):])
}

// Asset reports whether a path names a file that a page loads, not a page.
func Asset(p string) bool {
	var buf [len(".woff2")]byte
	n := 0
	for i := len(p) - 1; i >= 0 && n < len(buf); i-- {
		c := p[i]
		if c >= 'A' && c <= 'Z' {
			c |= ' '
		}
		n++
		buf[len(buf)-n] = c
		if c == '/' {
			return false
		}
		if c == '.' {
			return assetExtension(string(buf[len(buf)-n:]))
		}
	}
	return false
}

// assetExtension knows the names' ends in lower case.
func assetExtension(ext string) bool {
	switch ext {
	case ".css", ".js", ".mjs", ".map", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".ico", ".webp", ".avif",
		".woff", ".woff2", ".ttf", ".eot", ".otf", ".mp4", ".webm", ".mp3":
		return true
	}
	return false
}

// channel is where a touchpoint without one most likely happened.
func channel(t *journey.Touchpoint) string {
	switch {
	case t.Type == "screen":
		return "app"
	case t.Type == "page" || t.Page.URL != "":
		return "web"
	}
	return "other"
}
