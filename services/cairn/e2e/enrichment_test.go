//go:build linux

package e2e

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
	"github.com/stretchr/testify/require"
)

// written puts a text into a new file.
func written(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// berlin is a database of places that knows one network.
func berlin(t *testing.T) string {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "GeoLite2-City", IncludeReservedNetworks: true})
	require.NoError(t, err)
	_, network, err := net.ParseCIDR("203.0.113.0/24")
	require.NoError(t, err)
	name := func(text mmdbtype.String) mmdbtype.Map {
		return mmdbtype.Map{"names": mmdbtype.Map{"en": text}}
	}
	require.NoError(t, tree.Insert(network, mmdbtype.Map{
		"country": mmdbtype.Map{"iso_code": mmdbtype.String("DE")}, "subdivisions": mmdbtype.Slice{name("Land Berlin")}, "city": name("Berlin"),
	}))
	path := filepath.Join(t.TempDir(), "city.mmdb")
	out, err := os.Create(path)
	require.NoError(t, err)
	_, err = tree.WriteTo(out)
	require.NoError(t, err)
	require.NoError(t, out.Close())
	return path
}

// What is added to a raw record in the device step, by the rules and by the
// operator's files, is in the views.
func TestEnrichmentReachesTheViews(t *testing.T) {
	config := written(t, "cairn.yaml", "enrich:\n  geo: "+berlin(t)+"\n  channel_groups: "+written(t, "groups.yaml", "- {group: Partners, source: partner-*}\n")+
		"\n  referrers: "+written(t, "referers.yml", "social:\n  Club:\n    domains: [club.example]\n")+"\n  internal_hosts: [pay.example]\n")
	m := servers(t)
	m.service("sessionizer", "--data", t.TempDir(), "--config", config)
	m.sink()
	agent := `"userAgent":"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1"`
	m.imported(written(t, "events.ndjson", `
{"messageId":"1","type":"page","anonymousId":"ad","timestamp":"2026-11-20T10:00:00Z","receivedAt":"2026-11-20T10:00:00Z","context":{"ip":"203.0.113.9",`+agent+`,"page":{"url":"https://shop.example/p?utm_source=google&utm_medium=cpc&utm_id=77&gclid=Cj0K","referrer":"https://www.google.com/"}}}
{"messageId":"2","type":"page","anonymousId":"ad","timestamp":"2026-11-20T10:01:00Z","receivedAt":"2026-11-20T10:01:00Z","context":{"page":{"url":"https://shop.example/q","referrer":"https://pay.example/back"}}}
{"messageId":"3","type":"page","anonymousId":"club","timestamp":"2026-11-20T10:00:00Z","receivedAt":"2026-11-20T10:00:00Z","context":{"page":{"url":"https://shop.example/q"}}}
{"messageId":"4","type":"page","anonymousId":"club","timestamp":"2026-11-20T10:02:00Z","receivedAt":"2026-11-20T10:02:00Z","context":{"page":{"url":"https://shop.example/q","referrer":"https://club.example/x"}}}
{"messageId":"5","type":"page","anonymousId":"partner","timestamp":"2026-11-20T10:00:00Z","receivedAt":"2026-11-20T10:00:00Z","context":{"page":{"url":"https://shop.example/q"},"campaign":{"source":"partner-7","id":"c9"}}}
{"messageId":"6","type":"page","anonymousId":"typed","timestamp":"2026-11-20T10:00:00Z","receivedAt":"2026-11-20T10:00:00Z","context":{"page":{"url":"https://shop.example/"}}}
{"messageId":"7","type":"track","event":"order_completed","channel":"store","userId":"s","timestamp":"2026-11-20T10:00:00Z","receivedAt":"2026-11-20T10:00:00Z"}
`))
	m.rest()
	conn := m.sql()
	rows := func(query string) []string {
		var list []string
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT groupArray(line) FROM ("+query+")").Scan(&list))
		return list
	}
	const columns = "channel_group, referrer_host, referrer_class, click_id_kind, click_id, campaign_id, campaign_source, browser, browser_version, os, os_version, country, region, city"
	require.Equal(t, []string{
		"1|Paid Search|google.com|search|gclid|Cj0K|77|google|Mobile Safari|18|iOS|18|DE|Land Berlin|Berlin",
		"2||pay.example|internal|||||||||||",
		"3||||||||||||||",
		"4|Organic Social|club.example|social|||||||||||",
		"5|Partners|||||c9|partner-7|||||||",
		"6||||||||||||||",
		"7|Store|||||||||||||",
	}, rows("SELECT arrayStringConcat([message_id, "+columns+"], '|') AS line FROM "+m.namespace+"_bi.v_touchpoints ORDER BY message_id"))
	require.Equal(t, []string{"anonymous:ad|Paid Search", "anonymous:club|Organic Social", "anonymous:partner|Partners", "anonymous:typed|Direct", "user:s|Store"},
		rows("SELECT concat(identifier, '|', channel_group) AS line FROM "+m.namespace+"_bi.v_sessions ORDER BY identifier"))
	m.verified()
}
