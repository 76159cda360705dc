package enrich_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/enrich"
	"github.com/cairnhq/cairn/pkg/journey"
)

// world writes a small database of places in the form of GeoLite2 City.
func world(t *testing.T) string {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "GeoLite2-City", IncludeReservedNetworks: true})
	require.NoError(t, err)
	name := func(text string) mmdbtype.Map {
		return mmdbtype.Map{"names": mmdbtype.Map{"en": mmdbtype.String(text), "de": mmdbtype.String("-")}}
	}
	country := func(code string) mmdbtype.Map { return mmdbtype.Map{"iso_code": mmdbtype.String(code)} }
	for network, row := range map[string]mmdbtype.Map{
		"203.0.113.0/24":  {"country": country("DE"), "subdivisions": mmdbtype.Slice{name("Land Berlin"), name("x")}, "city": name("Berlin")},
		"198.51.100.0/25": {"country": country("FR"), "subdivisions": mmdbtype.Slice{mmdbtype.Map{"iso_code": mmdbtype.String("IDF")}}},
		"2001:db8:1::/48": {"country": country("CH"), "city": name("Bern")},
	} {
		_, cidr, err := net.ParseCIDR(network)
		require.NoError(t, err)
		require.NoError(t, tree.Insert(cidr, row))
	}
	path := filepath.Join(t.TempDir(), "city.mmdb")
	out, err := os.Create(path)
	require.NoError(t, err)
	_, err = tree.WriteTo(out)
	require.NoError(t, err)
	require.NoError(t, out.Close())
	return path
}

func TestPlaces(t *testing.T) {
	e := load(t, enrich.Files{Geo: world(t)})
	for range 2 {
		for ip, want := range map[string]journey.Place{
			"203.0.113.77":    {Country: "DE", Region: "Land Berlin", City: "Berlin"},
			"198.51.100.200":  {Country: "FR", Region: "IDF"}, // the truncated address is looked up
			"2001:db8:1:2::3": {Country: "CH", City: "Bern"},
			"192.0.2.1":       {}, "": {}, "nowhere": {},
		} {
			tp := &journey.Touchpoint{IP: ip}
			e.Apply(tp)
			require.Equal(t, want, tp.Place, ip)
		}
	}
	tp := &journey.Touchpoint{IP: "203.0.113.77"}
	(&enrich.Enricher{}).Apply(tp)
	require.Zero(t, tp.Place, "off by default")
}
