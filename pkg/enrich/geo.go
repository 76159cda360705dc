package enrich

import (
	"fmt"
	"net/netip"

	"github.com/oschwald/maxminddb-golang/v2"

	"github.com/cairnhq/cairn/pkg/journey"
)

// places is a MaxMind database that knows where networks are. It is safe for
// concurrent use.
type places struct{ file *maxminddb.Reader }

func openPlaces(path string) (*places, error) {
	file, err := maxminddb.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the places: %s: %w", path, err)
	}
	return &places{file}, nil
}

func (p *places) close() error { return p.file.Close() }

// found is what is read of a row of GeoIP2 and GeoLite2 databases, City or Country.
type found struct {
	Country struct {
		Code string `maxminddb:"iso_code"`
	} `maxminddb:"country"`
	Regions []struct {
		Code  string `maxminddb:"iso_code"`
		Names names  `maxminddb:"names"`
	} `maxminddb:"subdivisions"`
	City struct {
		Names names `maxminddb:"names"`
	} `maxminddb:"city"`
}

type names struct {
	English string `maxminddb:"en"`
}

// place is where a truncated address is, as far as the database knows.
func (p *places) place(ip string) journey.Place {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return journey.Place{}
	}
	var row found
	if p.file.Lookup(addr).Decode(&row) != nil { // a damaged row: as if there were none
		return journey.Place{}
	}
	at := journey.Place{Country: row.Country.Code, City: row.City.Names.English}
	if len(row.Regions) > 0 {
		if at.Region = row.Regions[0].Names.English; at.Region == "" {
			at.Region = row.Regions[0].Code
		}
	}
	return at
}
