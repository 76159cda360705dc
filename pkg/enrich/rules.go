package enrich

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/goccy/go-yaml"
)

// Files are what an operator adds to the rules; empty ones add nothing.
type Files struct {
	ChannelGroups string   // overrides of channel groups, YAML (docs/enrichment.md)
	Referrers     string   // referrers, YAML in the form of referer-parser; they go before cairn's own
	Geo           string   // MaxMind database of places (.mmdb); empty: no places
	InternalHosts []string // hosts whose links are no referrals; those below them, too
}

// Rules are what enrichment looks up: everything but a touchpoint itself that what
// is added to it follows from. They are not changed once they are made, and safe
// for concurrent use.
type Rules struct {
	sites     *sites
	groups    []rule
	overrides []override
	byChannel bool // an override asks for the channel
	internal  []string
	places    *places // nil: none
	browsers  *browsers
}

// Builtin are the rules without an operator's files.
func Builtin() *Rules {
	r := &Rules{sites: newSites(), groups: manualTraffic(), browsers: &browsers{}}
	r.sites.builtin()
	return r
}

// Load reads an operator's files. Errors name the file and, in YAML, the place.
// Close the rules when nothing uses them any more.
func Load(f Files) (*Rules, error) {
	r := &Rules{sites: newSites(), groups: manualTraffic(), browsers: &browsers{}}
	for _, host := range f.InternalHosts {
		if host = bareHost(strings.TrimSpace(host)); host != "" {
			r.internal = append(r.internal, host)
		}
	}
	var errs []error
	if f.Referrers != "" {
		errs = append(errs, r.readReferrers(f.Referrers))
	}
	r.sites.builtin()
	if f.ChannelGroups != "" {
		errs = append(errs, r.readOverrides(f.ChannelGroups))
	}
	if f.Geo != "" {
		var err error
		r.places, err = openPlaces(f.Geo)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Close gives the database of places back.
func (r *Rules) Close() error {
	if r.places == nil {
		return nil
	}
	return r.places.close()
}

func (r *Rules) readOverrides(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the channel groups: %w", err)
	}
	r.overrides, err = parseOverrides(text, path)
	for i := range r.overrides {
		r.byChannel = r.byChannel || len(r.overrides[i].Channel) > 0
	}
	return err
}

func (r *Rules) readReferrers(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the referrers: %w", err)
	}
	return r.sites.parse(text, path)
}

// referrer is an entry of a file in the form of referer-parser. What parameters
// hold the search terms is not asked for.
type referrer struct {
	Domains    []string `yaml:"domains"`
	Parameters []string `yaml:"parameters"`
}

// parse makes the sites of a file known: class, name, hosts. The class other is
// unknown; those that cairn does not know are an error.
func (s *sites) parse(text []byte, file string) error {
	var all map[string]yaml.MapSlice
	if err := yaml.Unmarshal(text, &all); err != nil {
		return yamlError(file, err)
	}
	known := []string{ClassUnknown, ClassSearch, ClassSocial, ClassVideo, ClassShopping, ClassEmail, ClassChatbot, ClassPaid}
	for class := range all {
		if !oneOf(class, known...) {
			return fmt.Errorf("%s: %q is no class of referrers: want one of %s", file, class, strings.Join(known, ", "))
		}
	}
	for _, class := range known {
		for _, item := range all[class] {
			if err := s.entry(class, item); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	return nil
}

func (s *sites) entry(class string, item yaml.MapItem) error {
	name := fmt.Sprint(item.Key)
	text, err := yaml.Marshal(item.Value)
	if err != nil {
		return fmt.Errorf("%s of %s: %w", name, class, err)
	}
	var r referrer
	if err := yaml.Unmarshal(text, &r); err != nil || len(r.Domains) == 0 {
		return fmt.Errorf("%s of %s has no domains: want a mapping with a list of them", name, class)
	}
	known := site{class, strings.ToLower(name)}
	if class != ClassUnknown {
		s.name(known.source, known)
	}
	for _, domain := range r.Domains {
		s.add(strings.TrimSuffix(domain, "/"), known)
	}
	return nil
}
