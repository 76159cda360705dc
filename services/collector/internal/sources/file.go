// Package sources reads collector.keys_file: who may write as which source, and
// under which rules. It does no I/O.
package sources

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/cairnhq/cairn/services/collector/internal/pii"
)

// Hash is the SHA-256 of a write key.
type Hash = [sha256.Size]byte

// hashPrefix tells a hash from a key.
const hashPrefix = "sha256:"

// What becomes of an event.
const (
	Accept    = "accept"
	Drop      = "drop"
	Anonymise = "anonymise"
	Ignore    = "ignore"
)

// Source is one entry of the file.
type Source struct {
	Name string `yaml:"source"`
	// Keys are hashes of its write keys: sha256:HEX. There may be none, for a source
	// whose keys are set elsewhere.
	Keys []string `yaml:"keys"`
	// Origins are the sites that may send from a browser, as in https://shop.example
	// or https://*.shop.example; none: all.
	Origins []string `yaml:"origins"`
	// EventsPerSecond of each of its keys; 0: the collector's.
	EventsPerSecond float64    `yaml:"events_per_second"`
	Consent         Consent    `yaml:"consent"`
	DoNotTrack      string     `yaml:"do_not_track"` // ignore (the default), drop or anonymise
	PII             []pii.Rule `yaml:"pii"`

	Hashes []Hash `yaml:"-"` // of Keys
}

// Consent says which categories must be granted. None: nothing is looked at.
type Consent struct {
	Required []string `yaml:"required"`
	// OnMissing is what becomes of an event that says nothing on one of them:
	// accept, drop (the default) or anonymise.
	OnMissing string `yaml:"on_missing"`
}

// Parse reads the file. Errors name the place, and no key.
func Parse(text []byte, name string) ([]Source, error) {
	var file struct {
		Sources []Source `yaml:"sources"`
	}
	dec := yaml.NewDecoder(bytes.NewReader(text), yaml.DisallowUnknownField())
	if err := dec.Decode(&file); err != nil && !errors.Is(err, io.EOF) { // an empty file is one
		if e, ok := errors.AsType[yaml.Error](err); ok {
			at := name
			if t := e.GetToken(); t != nil && t.Position != nil {
				at = fmt.Sprintf("%s:%d:%d", name, t.Position.Line, t.Position.Column)
			}
			return nil, fmt.Errorf("%s: %s", at, e.GetMessage())
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	seen := map[string]bool{}
	for i := range file.Sources {
		s := &file.Sources[i]
		if err := s.check(); err != nil {
			return nil, fmt.Errorf("%s: entry %d (source %q): %w", name, i+1, s.Name, err)
		}
		if seen[s.Name] {
			return nil, fmt.Errorf("%s: entry %d: source %q is there twice: give one entry all its keys", name, i+1, s.Name)
		}
		seen[s.Name] = true
	}
	return file.Sources, nil
}

func (s *Source) check() error {
	if s.Name == "" {
		return errors.New("source is missing")
	}
	if s.EventsPerSecond < 0 {
		return fmt.Errorf("events_per_second is %v: want 0 or more", s.EventsPerSecond)
	}
	for i, text := range s.Keys {
		h, ok := ParseHash(text)
		if !ok {
			return fmt.Errorf("keys: entry %d is no hash: want sha256: and 64 hexadecimal digits, as `cairn key new` prints", i+1)
		}
		s.Hashes = append(s.Hashes, h)
	}
	for _, o := range s.Origins {
		u, err := url.Parse(o)
		if err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" || u.RawQuery != "" || strings.Contains(strings.TrimPrefix(u.Host, "*."), "*") {
			return fmt.Errorf("origins: %q is none: want https://shop.example, without a path, or https://*.shop.example", o)
		}
	}
	if s.DoNotTrack == "" {
		s.DoNotTrack = Ignore
	}
	if !slices.Contains([]string{Ignore, Drop, Anonymise}, s.DoNotTrack) {
		return fmt.Errorf("do_not_track is %q: want ignore, drop or anonymise", s.DoNotTrack)
	}
	if slices.Contains(s.Consent.Required, "") {
		return errors.New("consent.required has an empty name")
	}
	if s.Consent.OnMissing == "" {
		s.Consent.OnMissing = Drop
	}
	if !slices.Contains([]string{Accept, Drop, Anonymise}, s.Consent.OnMissing) {
		return fmt.Errorf("consent.on_missing is %q: want accept, drop or anonymise", s.Consent.OnMissing)
	}
	return nil
}

// ParseHash reads sha256:HEX. ok is false for anything else.
func ParseHash(text string) (h Hash, ok bool) {
	digits, ok := strings.CutPrefix(text, hashPrefix)
	if !ok || len(digits) != 2*len(h) {
		return h, false
	}
	_, err := hex.Decode(h[:], []byte(digits))
	return h, err == nil
}

// FormatHash is the hash of a write key as the file has it.
func FormatHash(key string) string {
	h := sha256.Sum256([]byte(key))
	return hashPrefix + hex.EncodeToString(h[:])
}

// Origin reports whether a browser's Origin may send; true if nothing is said.
func (s *Source) Origin(origin string) bool {
	if len(s.Origins) == 0 {
		return true
	}
	origin = strings.ToLower(origin)
	for _, o := range s.Origins {
		o = strings.ToLower(o)
		if o == origin {
			return true
		}
		before, after, wild := strings.Cut(o, "*") // https:// and .shop.example
		if wild && len(origin) > len(before)+len(after) && strings.HasPrefix(origin, before) && strings.HasSuffix(origin, after) &&
			!strings.ContainsAny(origin[len(before):len(origin)-len(after)], "/:@") {
			return true
		}
	}
	return false
}
