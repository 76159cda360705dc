package pixel

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// maxTarget bounds an address to redirect to, in bytes.
const maxTarget = 4096

// hosts are those that a redirect may go to.
type hosts struct {
	exact    map[string]bool // host, or host:port
	suffixes []string        // .suffix, any host below it
}

// newHosts reads a list of hosts: shop.example, shop.example:8443, and
// .shop.example for all hosts below shop.example, itself not among them.
func newHosts(allowed []string) (hosts, error) {
	h := hosts{exact: map[string]bool{}}
	for _, entry := range allowed {
		name := strings.ToLower(strings.TrimSpace(entry))
		bare, below := strings.CutPrefix(name, ".")
		if !plainHost(bare) || below && strings.Contains(bare, ":") {
			return hosts{}, fmt.Errorf("allowed redirect %q is neither a host (shop.example, shop.example:8443) nor a suffix (.shop.example)", entry)
		}
		if below {
			h.suffixes = append(h.suffixes, name)
		} else {
			h.exact[name] = true
		}
	}
	return h, nil
}

// plainHost reports whether a text has only the letters of a host and a port.
func plainHost(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '.', c == '-', c == '_', c == ':':
		default:
			return false
		}
	}
	return s != "" && strings.Trim(s, ".:") == s && !strings.Contains(s, "..")
}

var (
	errNoTarget   = errors.New("the link names no address: it needs u")
	errBadTarget  = errors.New("the link's address is not a plain http or https address")
	errNotAllowed = errors.New("the link's address is not on this collector's list of allowed hosts")
)

// target checks an address and returns it as it goes into Location. Browsers
// read addresses more generously than RFC 3986: whatever they might read in
// another way than package url does is refused.
func (h *hosts) target(raw string) (string, error) {
	if raw == "" {
		return "", errNoTarget
	}
	if len(raw) > maxTarget || !plainText(raw) {
		return "", errBadTarget
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Opaque != "" || u.User != nil {
		return "", errBadTarget
	}
	if rest := raw[len(u.Scheme):]; !strings.HasPrefix(rest, "://") || strings.HasPrefix(rest, ":///") {
		return "", errBadTarget
	}
	host := strings.ToLower(u.Host)
	if !plainHost(host) {
		return "", errBadTarget
	}
	if !h.has(u.Scheme, host) {
		return "", errNotAllowed
	}
	u.Host = host
	return ascii(u.String()), nil
}

// ascii escapes what a header cannot carry.
func ascii(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if s[i] < 0x80 {
			b.WriteByte(s[i])
		} else {
			fmt.Fprintf(&b, "%%%02X", s[i])
		}
	}
	return b.String()
}

// plainText reports whether a text has neither control characters nor white
// space nor a backslash, which browsers take for a slash.
func plainText(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == 0x7f || c == '\\' {
			return false
		}
	}
	return true
}

func (h *hosts) has(scheme, host string) bool {
	if h.exact[host] {
		return true
	}
	usual := ":80"
	if scheme == "https" {
		usual = ":443"
	}
	if host = strings.TrimSuffix(host, usual); strings.Contains(host, ":") {
		return false // another port must be listed
	}
	if h.exact[host] {
		return true
	}
	for _, suffix := range h.suffixes {
		if strings.HasSuffix(host, suffix) && len(host) > len(suffix) {
			return true
		}
	}
	return false
}
