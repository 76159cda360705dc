package enrich

import (
	"net/netip"
	"strings"
)

// TruncateIP keeps the network of an address: /24 of IPv4, /48 of IPv6. What is
// no address is dropped. An address that is truncated already is returned as it is.
func TruncateIP(ip string) string {
	if ip = strings.TrimSpace(ip); ip == "" {
		return ""
	}
	if last, ok := lastOctet(ip); ok {
		if ip[last:] == "0" {
			return ip
		}
		return ip[:last] + "0"
	}
	addr, err := netip.ParseAddr(ip)
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
	var buf [len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255")]byte
	if text := net.Addr().AppendTo(buf[:0]); string(text) != ip {
		return string(text)
	}
	return ip
}

// lastOctet is where the last number of an IPv4 address begins; ok is false for
// what is none.
func lastOctet(ip string) (at int, ok bool) {
	dots, digits, n := 0, 0, 0
	for i := range len(ip) {
		switch c := ip[i]; {
		case c == '.' && digits > 0:
			dots, digits, n, at = dots+1, 0, 0, i+1
		case c >= '0' && c <= '9' && (digits == 0 || n > 0): // no zero leads
			digits, n = digits+1, n*10+int(c-'0')
			if n > 255 {
				return 0, false
			}
		default:
			return 0, false
		}
	}
	return at, dots == 3 && digits > 0
}
