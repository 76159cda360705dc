package enrich_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"path"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnhq/cairn/pkg/enrich"
	"github.com/cairnhq/cairn/pkg/journey"
)

// truncate is TruncateIP the plain way.
func truncate(ip string) string {
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

func TestTruncateIPIsThePlainOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ip := rapid.OneOf(
			rapid.StringMatching(`[0-9]{1,3}(\.[0-9]{1,3}){3}`), rapid.StringMatching(` ?[0-9.]{0,16}`), rapid.StringMatching(`[0-2]?[0-9]?[0-9](\.[0-2]?[0-9]?[0-9]){2,4}[ :]?`),
			rapid.StringMatching(`[0-9a-fA-F]{0,4}(:[0-9a-f]{0,4}){1,7}(%eth0)?`), rapid.StringMatching(`::ffff:[0-9]{1,3}(\.[0-9]{1,3}){3}`),
			rapid.Custom(func(t *rapid.T) string {
				return netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "v6"))).String()
			}),
		).Draw(t, "ip")
		require.Equal(t, truncate(ip), enrich.TruncateIP(ip), "%q", ip)
		require.Equal(t, truncate(ip), enrich.TruncateIP(truncate(ip)), "twice is once")
	})
}

func TestTruncateIPAtTheEdges(t *testing.T) {
	for place := range 4 {
		for n := range 400 {
			for _, format := range []string{"%d", "0%d", "%d ", " %d", "%d.", ".%d", "+%d", "%x"} {
				octets := []string{"10", "20", "30", "40"}
				octets[place] = fmt.Sprintf(format, n)
				ip := strings.Join(octets, ".")
				require.Equal(t, truncate(ip), enrich.TruncateIP(ip), "%q", ip)
			}
		}
	}
	for _, ip := range []string{"2001:DB8:1::", "2001:db8:01::", "::", "::ffff:10.0.0.0", "::FFFF:a00:0", "fe80::%1"} {
		require.Equal(t, truncate(ip), enrich.TruncateIP(ip), "%q", ip)
	}
}

func TestAssetIsThePlainOne(t *testing.T) {
	ends := []string{".css", ".js", ".mjs", ".map", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".ico", ".webp", ".avif", ".woff", ".woff2", ".ttf", ".eot", ".otf", ".mp4", ".webm", ".mp3", ".html", "", ".", ".PNG", ".Css", ".woff22", "css", ".c/ss"}
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.StringMatching(`[a-z/.]{0,12}`).Draw(t, "path") + rapid.SampledFrom(ends).Draw(t, "end")
		want := false
		for _, e := range ends[:20] {
			want = want || strings.ToLower(path.Ext(p)) == e
		}
		require.Equal(t, want, enrich.Asset(p), "%q", p)
	})
}

func TestHashIsHMACWhateverCameBefore(t *testing.T) {
	e := &enrich.Enricher{Secret: []byte("s")}
	rapid.Check(t, func(t *rapid.T) {
		kind, value := rapid.SampledFrom([]string{"email", "phone"}).Draw(t, "kind"), rapid.String().Draw(t, "value")
		mac := hmac.New(sha256.New, []byte("s"))
		mac.Write([]byte(value))
		tp := &journey.Touchpoint{Identifier: kind + ":" + value, Others: []string{"loyalty:" + value}}
		e.Apply(tp)
		require.Equal(t, kind+":"+hex.EncodeToString(mac.Sum(nil)), tp.Identifier)
		require.Equal(t, "loyalty:"+value, tp.Others[0])
	})
}

// TestManyAgents: the cache is bounded, forgets, and keeps no record alive.
func TestManyAgents(t *testing.T) {
	e := &enrich.Enricher{}
	buf := make([]byte, 0, 64)
	for i := range 10_000 {
		class, word := enrich.Desktop, "Windows NT"
		if i%2 == 0 {
			class, word = enrich.Mobile, "iPhone"
		}
		buf = fmt.Appendf(buf[:0], "Mozilla/5.0 (%s; %d)", word, i)
		for range 2 {
			tp := &journey.Touchpoint{UserAgent: unsafe.String(&buf[0], len(buf))}
			e.Apply(tp)
			require.Equal(t, class, tp.Device)
		}
	}
	copy(buf, "something else altogether") // as the memory of a record is used again
	require.True(t, enrich.KnowsAgent(e, "Mozilla/5.0 (Windows NT; 9999)"))
	long := &journey.Touchpoint{UserAgent: strings.Repeat("x", 2000) + " iPhone"}
	e.Apply(long)
	require.Equal(t, enrich.Mobile, long.Device)
	require.LessOrEqual(t, enrich.CachedAgents(e), 4096)
}

func TestApplyAllocatesNothingOnceItKnowsTheAgent(t *testing.T) {
	e := &enrich.Enricher{}
	one := journey.Touchpoint{
		Type: "page", Page: journey.Page{URL: "https://a/b.PNG", Path: "/b.PNG"}, UserAgent: "Mozilla/5.0 (X11; Linux x86_64)",
		Identifier: "anonymous:a", IP: "203.0.113.0",
	}
	require.Zero(t, testing.AllocsPerRun(100, func() { t := one; e.Apply(&t) }))
	one.IP = "2001:db8:1::"
	require.Zero(t, testing.AllocsPerRun(100, func() { t := one; e.Apply(&t) }))
}

func BenchmarkApply(b *testing.B) {
	agents := []string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
		"Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36",
	}
	e := &enrich.Enricher{Secret: []byte("s")}
	b.Run("shop", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			tp := journey.Touchpoint{Type: "page", Page: journey.Page{URL: "https://shop.example/products/1", Path: "/products/1"}, Channel: "web", UserAgent: agents[i%4], Identifier: "anonymous:8be17069", IP: "10.126.70.105"}
			e.Apply(&tp)
		}
	})
	b.Run("email", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			tp := journey.Touchpoint{Type: "track", Channel: "web", Identifier: "email:ada@example.com"}
			e.Apply(&tp)
		}
	})
	b.Run("new agent", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			enrich.Device(agents[i%4])
		}
	})
}
