// Package pii removes, hashes or shortens what a touchpoint's paths hold,
// before anything is stored. Everything else of the JSON text stays as it is,
// byte for byte.
package pii

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Actions of a rule.
const (
	Drop     = "drop"     // the member is not there any more
	Hash     = "hash"     // "hmac:" and HMAC-SHA256 of the text, in hex
	Truncate = "truncate" // the first Keep characters; an IP address: its network
)

const (
	defaultKeep = 4
	maxParts    = 16
)

// Rule says what becomes of the values at a path.
type Rule struct {
	// Path is names with dots between, from one of properties, traits and context:
	// properties.customer.email. A name may be * for every member or element;
	// elements of a list need none. Upper and lower case do not matter, and traits
	// and context.traits are one: both are read as the customer's traits.
	Path string `yaml:"path"`
	Do   string `yaml:"do"`
	Keep int    `yaml:"keep"` // characters; Truncate only; 0: 4
}

// Rules are compiled rules. They do not change; safe for concurrent use. A nil
// one changes nothing.
type Rules struct {
	rules  []rule
	secret []byte
}

type rule struct {
	parts []string
	name  string // the last part that is a name
	do    string
	keep  int
}

// Compile checks rules. The secret is needed if there is a rule that hashes.
func Compile(rules []Rule, secret []byte) (*Rules, error) {
	if len(rules) == 0 {
		return nil, nil //nolint:nilnil // no rules are rules, too
	}
	out := &Rules{secret: secret}
	for i, r := range rules {
		c := rule{parts: strings.Split(r.Path, "."), do: r.Do, keep: r.Keep}
		switch {
		case len(c.parts) < 2 || len(c.parts) > maxParts || slices.Contains(c.parts, ""):
			return nil, fmt.Errorf("pii: rule %d: path is %q: want names with dots between, as in properties.email", i+1, r.Path)
		case !slices.Contains([]string{"properties", "traits", "context"}, c.parts[0]):
			return nil, fmt.Errorf("pii: rule %d: path is %q: want one below properties, traits or context (identifiers are what touchpoints are found by)", i+1, r.Path)
		case !slices.Contains([]string{Drop, Hash, Truncate}, r.Do):
			return nil, fmt.Errorf("pii: rule %d: do is %q: want drop, hash or truncate", i+1, r.Do)
		case r.Keep < 0 || r.Keep > 0 && r.Do != Truncate:
			return nil, fmt.Errorf("pii: rule %d: keep is %d: want characters, for truncate only", i+1, r.Keep)
		case r.Do == Hash && len(secret) == 0:
			return nil, errors.New("pii: a rule hashes, but identity.secret is not set")
		}
		if c.keep == 0 {
			c.keep = defaultKeep
		}
		for _, part := range c.parts {
			if part != "*" {
				c.name = part
			}
		}
		out.rules = append(out.rules, c)
		if other := c; other.otherTraits() {
			out.rules = append(out.rules, other)
		}
	}
	return out, nil
}

// otherTraits moves a rule for traits to the other place that they are read from.
func (r *rule) otherTraits() bool {
	switch {
	case r.parts[0] == "traits":
		r.parts = append([]string{"context"}, r.parts...)
	case r.parts[0] == "context" && r.parts[1] == "traits" && len(r.parts) > 2:
		r.parts = r.parts[1:]
	default:
		return false
	}
	return true
}
