// Package enrich adds to a touchpoint what follows from it alone: robot and
// asset flags, the channel where none is given, and what privacy takes away.
//
// It runs in the device step, so that records written straight to Kafka get the
// same as those of the collector. It does no I/O and is safe for concurrent use.
package enrich

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"path"
	"strings"

	"github.com/cairnhq/cairn/pkg/journey"
)

// Enricher holds what the rules need. The zero value hashes nothing.
type Enricher struct {
	// Secret keys the HMAC-SHA256 under which emails and phone numbers are
	// stored; empty: they are stored as they are.
	Secret []byte
}

// Apply enriches t in place. Applying it twice hashes twice: do it once.
func (e *Enricher) Apply(t *journey.Touchpoint) {
	if Bot(t.UserAgent) {
		t.Flags |= journey.FlagBot
	}
	if t.Type == "page" && Asset(t.Page.Path) {
		t.Flags |= journey.FlagAsset
	}
	if t.Channel == "" {
		t.Channel = channel(t)
	}
	t.IP = TruncateIP(t.IP)
	t.Identifier = e.hide(t.Identifier)
	for i, id := range t.Others {
		t.Others[i] = e.hide(id)
	}
}

// hide replaces an email or phone number by its keyed hash.
func (e *Enricher) hide(id string) string {
	kind, value := journey.SplitIdentifier(id)
	if len(e.Secret) == 0 || kind != journey.KindEmail && kind != journey.KindPhone {
		return id
	}
	mac := hmac.New(sha256.New, e.Secret)
	mac.Write([]byte(value))
	return kind + ":" + hex.EncodeToString(mac.Sum(nil))
}

// botWords are parts of the user agents of robots, in lower case.
func botWords() []string {
	return []string{
		"bot", "crawl", "spider", "slurp", "headless", "phantomjs", "facebookexternalhit", "mediapartners",
		"feedfetcher", "feedburner", "rss", "wget", "curl/", "libwww", "python-", "java/", "go-http-client",
		"okhttp", "httpclient", "scrapy", "validator", "monitor", "pingdom", "preview", "archiver", "fetcher",
		"reader", "planet", "universalfeedparser", "check_http", "apachebench", "netcraft", "scan",
	}
}

// Bot reports whether a user agent names a robot. An empty one does not: tills,
// call centres and servers send none.
func Bot(userAgent string) bool {
	if userAgent == "" {
		return false
	}
	lower := strings.ToLower(userAgent)
	if strings.Contains(lower, "cubot") { // a brand of phones
		return false
	}
	for _, w := range botWords() {
		if strings.Contains(lower, w) {
			return true
		}
	}
	return false
}

// Asset reports whether a path names a file that a page loads, not a page.
func Asset(p string) bool {
	switch strings.ToLower(path.Ext(p)) {
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

// TruncateIP keeps the network of an address: /24 of IPv4, /48 of IPv6. What is
// no address is dropped.
func TruncateIP(ip string) string {
	if ip == "" {
		return ""
	}
	addr, err := netip.ParseAddr(strings.TrimSpace(ip))
	if err != nil {
		return ""
	}
	addr = addr.Unmap().WithZone("")
	bits := 48
	if addr.Is4() {
		bits = 24
	}
	net, err := addr.Prefix(bits)
	if err != nil {
		return ""
	}
	return net.Addr().String()
}
