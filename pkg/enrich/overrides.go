package enrich

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
)

// Bounds of a file of overrides.
const (
	maxOverrides = 1000
	maxPatterns  = 1000 // of a key of one override
	maxGroup     = 64   // bytes of a group's name
)

// override says which touchpoints are of a channel group, before GA4's rules are
// asked. All its keys must match; of a key's patterns any.
type override struct {
	Group    string   `yaml:"group"`
	Channel  patterns `yaml:"channel"`
	Source   patterns `yaml:"source"`
	Medium   patterns `yaml:"medium"`
	Campaign patterns `yaml:"campaign"`
	Referrer patterns `yaml:"referrer"`
	ClickID  patterns `yaml:"click_id"`
}

// patterns are texts in lower case in which * stands for anything.
type patterns []string

// UnmarshalYAML takes one text, or a list of them.
func (p *patterns) UnmarshalYAML(read func(any) error) error {
	var list []string
	if err := read(&list); err != nil {
		var one string
		if read(&one) != nil {
			return errors.New("want a text or a list of texts")
		}
		list = []string{one}
	}
	for _, text := range list {
		*p = append(*p, strings.ToLower(strings.TrimSpace(text)))
	}
	return nil
}

// parseOverrides reads a file of overrides. Errors begin with its name, and where
// there is one with the place in it.
func parseOverrides(text []byte, file string) ([]override, error) {
	var list []override
	if err := yaml.UnmarshalWithOptions(text, &list, yaml.Strict()); err != nil {
		return nil, yamlError(file, err)
	}
	if len(list) > maxOverrides {
		return nil, fmt.Errorf("%s: %d channel groups, the limit is %d", file, len(list), maxOverrides)
	}
	for i := range list {
		o := &list[i]
		switch {
		case o.Group == "":
			return nil, fmt.Errorf("%s: entry %d has no group: name the channel group that it stands for", file, i+1)
		case len(o.Group) > maxGroup:
			return nil, fmt.Errorf("%s: the group of entry %d is longer than %d bytes", file, i+1, maxGroup)
		case len(o.Channel)+len(o.Source)+len(o.Medium)+len(o.Campaign)+len(o.Referrer)+len(o.ClickID) == 0:
			return nil, fmt.Errorf("%s: entry %d (%s) matches everything: want channel, source, medium, campaign, referrer or click_id", file, i+1, o.Group)
		}
		for _, p := range []patterns{o.Channel, o.Source, o.Medium, o.Campaign, o.Referrer, o.ClickID} {
			if len(p) > maxPatterns {
				return nil, fmt.Errorf("%s: entry %d (%s) has a list of %d, the limit is %d", file, i+1, o.Group, len(p), maxPatterns)
			}
		}
	}
	return list, nil
}

// yamlError is an error of the YAML library in one line, with its place.
func yamlError(file string, err error) error {
	if bad, ok := errors.AsType[yaml.Error](err); ok {
		place := file
		if t := bad.GetToken(); t != nil && t.Position != nil {
			place = fmt.Sprintf("%s:%d:%d", file, t.Position.Line, t.Position.Column)
		}
		message, _, _ := strings.Cut(bad.GetMessage(), "\n")
		return fmt.Errorf("%s: %s", place, message)
	}
	message, _, _ := strings.Cut(err.Error(), "\n")
	return fmt.Errorf("%s: %s", file, message)
}

// matches reports whether the override is meant. Texts are in lower case.
func (o *override) matches(channel, click string, referrer *host, t *traffic) bool {
	if len(o.Referrer) > 0 && (referrer == nil || !o.Referrer.hostMatch(referrer.name)) {
		return false
	}
	return o.Channel.match(channel) && o.Source.match(t.source) && o.Medium.match(t.medium) &&
		o.Campaign.match(t.campaign) && o.ClickID.match(click)
}

// match reports whether a text is one of the patterns; if there are none, whatever
// it is.
func (p patterns) match(text string) bool {
	for _, pattern := range p {
		if wild(pattern, text) {
			return true
		}
	}
	return len(p) == 0
}

// hostMatch reports whether a host is one of the patterns, or below it.
func (p patterns) hostMatch(name string) bool {
	for _, pattern := range p {
		pattern = strings.TrimPrefix(pattern, "www.")
		if wild(pattern, name) || under(name, pattern) {
			return true
		}
	}
	return false
}

// wild reports whether a text is a pattern's, in which * stands for anything.
func wild(pattern, text string) bool {
	head, rest, ok := strings.Cut(pattern, "*")
	if !ok {
		return pattern == text
	}
	text, ok = strings.CutPrefix(text, head)
	if !ok {
		return false
	}
	for {
		part, more, ok := strings.Cut(rest, "*")
		if !ok {
			return strings.HasSuffix(text, part)
		}
		at := strings.Index(text, part)
		if at < 0 {
			return false
		}
		text, rest = text[at+len(part):], more
	}
}
