package enrich

import (
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// Classes of referrers, as journey.Touchpoint.ReferrerClass holds them.
const (
	ClassSearch   = "search"
	ClassSocial   = "social"
	ClassVideo    = "video"
	ClassShopping = "shopping"
	ClassEmail    = "email"
	ClassChatbot  = "chatbot"
	ClassPaid     = "paid"     // only in an operator's file: hosts of ads
	ClassInternal = "internal" // the site itself
	ClassUnknown  = "unknown"  // any other host
)

// site is what is known of a referrer.
type site struct {
	class  string
	source string // its name, in lower case
}

// sites knows hosts and names. Hosts are in lower case and without www.; one
// stands for those below it, too. "name.*" is the name under any public suffix,
// "host/segment" that host's pages whose path begins so. It is not changed once it
// is made, and safe for concurrent use.
type sites struct {
	hosts map[string]site
	names map[string]site
	deep  map[string]bool // hosts of which paths are known
}

func newSites() *sites {
	return &sites{hosts: map[string]site{}, names: map[string]site{}, deep: map[string]bool{}}
}

// add makes a host known, unless it is.
func (s *sites) add(host string, known site) {
	host = bareHost(host)
	if host == "" {
		return
	}
	if name, _, ok := strings.Cut(host, "/"); ok {
		s.deep[name] = true
	}
	if _, ok := s.hosts[host]; !ok {
		s.hosts[host] = known
	}
}

// name makes the name of a source known, unless it is.
func (s *sites) name(name string, known site) {
	if _, ok := s.names[name]; !ok && name != "" {
		s.names[name] = known
	}
}

// find is what is known of a host or the one it stands below; registrable is the
// part of it that somebody registered.
func (s *sites) find(host, registrable string) (site, bool) {
	_, suffix, _ := strings.Cut(registrable, ".")
	for name := host; ; {
		if k, ok := s.hosts[name]; ok {
			return k, true
		}
		if stem, ok := strings.CutSuffix(name, "."+suffix); ok && suffix != "" {
			if k, ok := s.hosts[stem+".*"]; ok {
				return k, true
			}
		}
		_, up, ok := strings.Cut(name, ".")
		if !ok || len(up) < len(registrable) {
			return site{}, false
		}
		name = up
	}
}

// source is what is known of a source as campaigns name it: google, fb,
// m.facebook.com. It is in lower case.
func (s *sites) source(name string) (site, bool) {
	if k, ok := s.names[name]; ok {
		return k, true
	}
	if !strings.Contains(name, ".") {
		return site{}, false
	}
	host := bareHost(name)
	return s.find(host, registrable(host))
}

// host is a host of referrers and pages.
type host struct {
	site

	name        string // in lower case, without www.
	registrable string // the part that somebody registered; else the name
	internal    bool   // by configuration
	deep        bool   // what it is depends on the path
}

// newHost reads a host as it stands in an address; the result shares no memory
// with it.
func (r *Rules) newHost(text string) *host {
	h := &host{name: strings.Clone(bareHost(text))}
	h.registrable = registrable(h.name)
	h.site = site{ClassUnknown, h.name}
	if known, ok := r.sites.find(h.name, h.registrable); ok {
		h.site = known
	}
	for _, own := range r.internal {
		h.internal = h.internal || under(h.name, own)
	}
	h.deep = r.sites.deep[h.name]
	return h
}

// at is the host's site at a path.
func (r *Rules) at(h *host, url string) site {
	if !h.deep {
		return h.site
	}
	_, path, _ := strings.Cut(url[strings.Index(url, "://")+3:], "/")
	if end := strings.IndexAny(path, "/?#"); end >= 0 {
		path = path[:end]
	}
	if known, ok := r.sites.hosts[h.name+"/"+strings.ToLower(path)]; ok && path != "" {
		return known
	}
	return h.site
}

// under reports whether a host is another or below it.
func under(name, other string) bool {
	rest, ok := strings.CutSuffix(name, other)
	return ok && (rest == "" || rest[len(rest)-1] == '.')
}

// registrable is the part of a host that somebody registered: example.co.uk of
// shop.example.co.uk. Addresses and names without a dot are whole.
func registrable(name string) string {
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return name
	}
	if r, err := publicsuffix.EffectiveTLDPlusOne(name); err == nil {
		return r
	}
	return name
}

// bareHost is a host in lower case, without www. and the dot of the root.
func bareHost(name string) string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.ToLower(name), "www."), ".")
}

// hostIn is the host of an address, as it is written there; "" without one. It
// takes no memory.
func hostIn(url string) string {
	at := strings.Index(url, "://")
	if at <= 0 {
		return ""
	}
	name := url[at+3:]
	for i := range len(name) {
		if c := name[i]; c == '/' || c == '?' || c == '#' || c == '\\' {
			name = name[:i]
			break
		}
	}
	if user := strings.LastIndexByte(name, '@'); user >= 0 {
		name = name[user+1:]
	}
	if strings.HasPrefix(name, "[") {
		end := strings.IndexByte(name, ']')
		return name[:end+1]
	}
	if port := strings.LastIndexByte(name, ':'); port >= 0 {
		name = name[:port]
	}
	if len(name) > maxHost {
		return ""
	}
	return name
}

// maxHost bounds the name of a host, in bytes: DNS has no longer ones.
const maxHost = 253
