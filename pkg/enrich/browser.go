package enrich

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
	"github.com/ua-parser/uap-go/uaparser"

	"github.com/cairnhq/cairn/pkg/journey"
)

// browsers knows browsers and operating systems by the patterns of uap-core, which
// are in the module uap-go. It is safe for concurrent use; the zero value reads the
// patterns when it is first asked.
//
// The module's own parser tries one regular expression after the other, some
// hundreds: the better part of a millisecond for a user agent that is new. Here
// most are passed over because a text that they need is not there, which changes no
// answer (TestBrowsersAreThoseOfTheModule), and a pattern is compiled when it is
// first needed. That keeps a flood of invented user agents cheap without a budget:
// what is added to a touchpoint must not depend on what came before it.
type browsers struct {
	mu       sync.Mutex
	read     bool
	browsers []pattern
	systems  []pattern
	line     lowered
}

// pattern is one of uap-core's.
type pattern struct {
	Expr    string `yaml:"regex"`
	Flags   string `yaml:"regex_flag"`
	Family  string `yaml:"family_replacement"`
	Major   string `yaml:"v1_replacement"`
	System  string `yaml:"os_replacement"`
	SystemV string `yaml:"os_v1_replacement"`

	needs needs
	reg   *regexp.Regexp // nil: not needed yet
}

// lowered is a text, and the same in lower case.
type lowered struct{ text, lower string }

// plausible reports whether a user agent is one that browsers and phones send.
// Others cost a look at their beginning, and their columns stay empty.
func plausible(agent string) bool {
	for i := range len(agent) {
		if agent[i] >= 0x80 || agent[i] < ' ' {
			return false
		}
	}
	for _, begin := range []string{"Mozilla/", "Opera/", "Dalvik/", "UCWEB/", "MQQBrowser/", "BlackBerry", "Nokia", "SAMSUNG", "SonyEricsson", "LG-"} {
		if strings.HasPrefix(agent, begin) {
			return true
		}
	}
	return strings.Contains(agent, "CFNetwork/")
}

// agent is what a user agent says of browser and operating system.
func (b *browsers) agent(userAgent string) journey.Agent {
	if !plausible(userAgent) {
		return journey.Agent{}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.read {
		b.read = true
		b.load()
	}
	b.line = lowered{userAgent, strings.ToLower(userAgent)}
	var a journey.Agent
	a.Browser, a.BrowserVersion = first(b.browsers, &b.line)
	a.OS, a.OSVersion = first(b.systems, &b.line)
	return a
}

// first is the name and version of the first pattern that matches.
func first(list []pattern, line *lowered) (name, version string) {
	for i := range list {
		p := &list[i]
		if !p.needs.in(line) {
			continue
		}
		if p.reg == nil {
			p.reg = regexp.MustCompile(p.Expr)
		}
		at := p.reg.FindStringSubmatchIndex(line.text)
		if at == nil {
			continue
		}
		if name = string(p.reg.ExpandString(nil, p.Family, line.text, at)); name != "" {
			return name, string(p.reg.ExpandString(nil, p.Major, line.text, at))
		}
	}
	return "", ""
}

// load reads the patterns. They are part of the program, so that they cannot be
// read is a bug.
func (b *browsers) load() {
	text, _, _ := bytes.Cut(uaparser.DefinitionYaml, []byte("\ndevice_parsers:")) // most of them, and not asked for
	var all struct {
		Browsers []pattern `yaml:"user_agent_parsers"`
		Systems  []pattern `yaml:"os_parsers"`
	}
	if err := yaml.Unmarshal(text, &all); err != nil {
		panic(fmt.Sprintf("enrich: the patterns of uap-go: %v", err))
	}
	for i := range all.Systems {
		all.Systems[i].Family, all.Systems[i].Major = all.Systems[i].System, all.Systems[i].SystemV
	}
	for _, list := range [][]pattern{all.Browsers, all.Systems} {
		for i := range list {
			p := &list[i]
			if p.Flags != "" {
				p.Expr = "(?" + p.Flags + ")" + p.Expr
			}
			if p.Family == "" {
				p.Family = "$1"
			}
			if p.Major == "" {
				p.Major = "$2"
			}
			p.needs = needed(p.Expr)
		}
	}
	b.browsers, b.systems = all.Browsers, all.Systems
}
