package collector

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// clientIP is the address a request comes from: the connection's, or, when that
// belongs to a trusted proxy, the last address of X-Forwarded-For that does not.
func clientIP(r *http.Request, trusted []netip.Prefix) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	addr := peer.Addr().Unmap()
	if !within(addr, trusted) {
		return addr.String()
	}
	// The header's left part is whatever the client wrote: read from the right.
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, text := range slices.Backward(hops) {
		hop, err := netip.ParseAddr(strings.TrimSpace(text))
		if err != nil {
			break
		}
		if addr = hop.Unmap(); !within(addr, trusted) {
			break
		}
	}
	return addr.String()
}

func within(addr netip.Addr, networks []netip.Prefix) bool {
	for _, n := range networks {
		if n.Contains(addr) {
			return true
		}
	}
	return false
}

// fromBrowser reports whether a request was sent by a visitor's own browser, so
// that its address and user agent are the visitor's and not some server's.
func fromBrowser(r *http.Request) bool {
	return strings.HasPrefix(r.UserAgent(), "Mozilla/")
}
