package enrich

import (
	"strings"

	"github.com/cairnhq/cairn/pkg/journey"
)

// Classes of devices, as journey.Touchpoint.Device holds them.
const (
	Desktop = "desktop"
	Mobile  = "mobile"
	Tablet  = "tablet"
	TV      = "tv" // television sets, the boxes that hang on them, game consoles
	Robot   = "bot"
	Other   = "other" // the user agent does not tell
)

// Device is the class of device that a user agent names, "" for an empty one.
//
// The rules are few on purpose: the patterns that know every device take a
// millisecond of CPU for each new user agent, and whoever sends events chooses how
// many there are. Browsers are found by patterns, see browsers.
func Device(userAgent string) string {
	if userAgent == "" {
		return ""
	}
	agent := strings.ToLower(userAgent)
	switch {
	case robot(agent):
		return Robot
	case has(agent, televisions()):
		return TV
	case strings.Contains(agent, "ipad"), strings.Contains(agent, "playbook"), strings.Contains(agent, "kindle"),
		strings.Contains(agent, "tablet") && !strings.Contains(agent, "tablet pc"): // Windows says so of desktops
		return Tablet
	case has(agent, phones()):
		return Mobile
	case strings.Contains(agent, "android"):
		// Browsers of phones say "mobile"; apps' own agents say nothing, and are mostly of phones.
		if strings.HasPrefix(agent, "mozilla/") {
			return Tablet
		}
		return Mobile
	case strings.Contains(agent, "silk/"): // Kindle Fire that asks for the desktop's page
		return Tablet
	case has(agent, desktops()):
		return Desktop
	}
	return Other
}

// Bot reports whether a user agent names a robot. An empty one does not: tills,
// call centres and servers send none.
func Bot(userAgent string) bool { return robot(strings.ToLower(userAgent)) }

// robot is Bot of a user agent in lower case.
func robot(agent string) bool {
	return !strings.Contains(agent, "cubot") && has(agent, robots()) // Cubot is a brand of phones
}

func has(agent string, words []string) bool {
	for _, w := range words {
		if strings.Contains(agent, w) {
			return true
		}
	}
	return false
}

// robots are parts of the user agents of robots, in lower case: crawlers,
// previews of links, feed readers, libraries that no person drives, watchers of
// sites, browsers run by a program.
func robots() []string {
	return []string{
		"bot", "crawl", "spider", "slurp", "headless", "phantomjs", "facebookexternalhit", "mediapartners",
		"feedfetcher", "feedburner", "rss", "wget", "curl/", "libwww", "python-", "java/", "go-http-client",
		"okhttp", "httpclient", "scrapy", "validator", "monitor", "pingdom", "preview", "archiver", "fetcher",
		"reader", "planet", "universalfeedparser", "check_http", "apachebench", "netcraft", "scan",
		"facebookcatalog", "whatsapp/", "embedly", "google-read-aloud", "googleother", "apis-google", "chatgpt-user",
		"claude-user", "perplexity", "axios/", "node-fetch", "undici", "guzzlehttp", "aiohttp", "postmanruntime",
		"selenium", "webdriver", "slimerjs", "jsdom", "httrack", "heritrix", "nutch", "htmlunit",
		"got (http", "python/", "php/", "anthropic-ai", "cohere-ai", "zgrab", "nikto", "sqlmap", "uptime", "statuscake", "site24x7", "lighthouse", "puppeteer", "playwright", "prerender",
	}
}

func televisions() []string {
	return []string{
		"smart-tv", "smarttv", "smart tv", "hbbtv", "appletv", "apple tv", "android tv", "googletv", "google tv", "web0s",
		"netcast", "crkey", "roku", "bravia", "viera", "; aft", "mibox", "xbox", "playstation", "nintendo",
	}
}

func phones() []string {
	return []string{
		"mobile", "iphone", "ipod", "windows phone", "opera mini", "opera mobi", "blackberry", "bb10", "symbian",
		"series60", "nokia", "kaios", "midp", "ucweb",
	}
}

func desktops() []string {
	return []string{"windows", "macintosh", "mac os x", "x11", "cros ", "linux", "bsd"}
}

// Bounds of the cache of user agents.
const (
	maxAgents   = 4096 // entries, of two generations
	maxAgentKey = 512  // bytes of one; of longer ones only the class is looked for, each time
)

// agent is what a user agent says.
type agent struct {
	journey.Agent

	class string
}

// agent is Device and the browser, remembered.
func (e *Enricher) agent(userAgent string) *agent {
	if len(userAgent) > maxAgentKey {
		return &agent{class: Device(userAgent)}
	}
	if known, ok := e.agents.get(userAgent); ok {
		return known
	}
	a := &agent{class: Device(userAgent)}
	if a.class != Robot { // what they call themselves is made up as they like
		a.Agent = e.Rules.browsers.agent(userAgent)
	}
	e.agents.put(userAgent, a)
	return a
}
