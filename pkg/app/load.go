package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// EnvConfig names the environment variable that holds the path of the
// configuration file.
const EnvConfig = "CAIRN_CONFIG"

// DefaultFile is read from the working folder if it exists and no other file
// is named.
const DefaultFile = "cairn.yaml"

// Sources says where Load looks.
type Sources struct {
	// File is the configuration file named on the command line; it must exist.
	// Empty: CAIRN_CONFIG, which must exist too, else DefaultFile if there is one.
	File string
	// LookupEnv is os.LookupEnv, or a stand-in of a test; nil: no environment.
	LookupEnv func(string) (string, bool)
	// Flags are the settings given on the command line: key -> text.
	Flags map[string]FlagValue
}

// FlagValue is a setting given on the command line.
type FlagValue struct {
	Flag string // as typed, with dashes
	Text string
}

// Origin says where a setting's value comes from.
type Origin struct {
	Kind  OriginKind
	Where string // file:line:column, the variable's or the flag's name
}

// OriginKind is a layer of the configuration; later ones win.
type OriginKind string

// The layers.
const (
	OriginDefault OriginKind = "default"
	OriginFile    OriginKind = "file"
	OriginEnv     OriginKind = "environment"
	OriginFlag    OriginKind = "flag"
)

func (o Origin) String() string {
	if o.Where == "" {
		return string(o.Kind)
	}
	return o.Where
}

// Origin says where the value of the setting key comes from.
func (c *Config) Origin(key string) Origin {
	if o, ok := c.origins[key]; ok {
		return o
	}
	return Origin{Kind: OriginDefault}
}

// IsSet says whether anyone set key: whether its value is not the default's.
func (c *Config) IsSet(key string) bool { return c.Origin(key).Kind != OriginDefault }

// Load reads the configuration: flag over environment over file over default.
// It returns all that is wrong, joined: unknown keys with their place and what
// was probably meant, variables without a value, unreadable values, and what
// Validate finds.
func Load(s Sources) (*Config, error) {
	c := Defaults()
	c.origins = map[string]Origin{}
	if s.LookupEnv == nil {
		s.LookupEnv = func(string) (string, bool) { return "", false }
	}
	var errs []error
	if err := c.loadFile(s); err != nil {
		errs = append(errs, err)
	}
	if err := c.loadEnv(s.LookupEnv); err != nil {
		errs = append(errs, err)
	}
	if err := c.loadFlags(s.Flags); err != nil {
		errs = append(errs, err)
	}
	if len(errs) == 0 { // half-read values would only repeat the same complaint
		errs = append(errs, c.Validate())
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &c, nil
}

func (c *Config) loadFile(s Sources) error {
	path, named := s.File, true
	if path == "" {
		path, _ = s.LookupEnv(EnvConfig)
	}
	if path == "" {
		path, named = DefaultFile, false
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	return c.parseYAML(path, text, s.LookupEnv)
}

func (c *Config) loadEnv(lookup func(string) (string, bool)) error {
	fields := fieldsOf(c)
	var errs []error
	for _, key := range Keys() {
		name := EnvName(key)
		text, ok := lookup(name)
		if isSecret(key) {
			file, named := lookup(name + "_FILE")
			named = named && file != ""
			if ok && named {
				errs = append(errs, fmt.Errorf("%s and %s_FILE are both set: set one", name, name))
				continue
			}
			if named {
				content, err := os.ReadFile(file)
				if err != nil {
					errs = append(errs, fmt.Errorf("%s_FILE: %w", name, err))
					continue
				}
				// Editors and echo end files with a newline that is no part of the secret.
				text, ok, name = strings.TrimRight(string(content), "\r\n"), true, name+"_FILE"
			}
		}
		if !ok {
			continue
		}
		if err := fields[key].set(text); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
			continue
		}
		c.origins[key] = Origin{OriginEnv, name}
	}
	return errors.Join(errs...)
}

func (c *Config) loadFlags(flags map[string]FlagValue) error {
	fields := fieldsOf(c)
	var errs []error
	for _, key := range Keys() {
		v, ok := flags[key]
		if !ok {
			continue
		}
		if err := fields[key].set(v.Text); err != nil {
			errs = append(errs, UsageErrorf("%s: %s", v.Flag, err))
			continue
		}
		c.origins[key] = Origin{OriginFlag, v.Flag}
	}
	return errors.Join(errs...)
}

// UnknownEnv lists the variables of environ ("NAME=value") that look like ours
// but are not read, each with what was probably meant. They are no errors:
// Kubernetes sets variables for services of any name.
//
// Those of the tests, of the bench and of the local engines are read elsewhere.
func UnknownEnv(environ []string) []string {
	known := EnvNames()
	var out []string
	for _, e := range environ {
		name, _, _ := strings.Cut(e, "=")
		if !strings.HasPrefix(name, "CAIRN_") || slices.Contains(known, name) || ofOthers(name) {
			continue
		}
		msg := name + " is not read by anything"
		if near := closest(name, known); near != "" {
			msg += ": did you mean " + near + "?"
		}
		out = append(out, msg)
	}
	return out
}

// ofOthers reports whether a variable is read by something else of cairn's.
func ofOthers(name string) bool {
	return strings.HasPrefix(name, "CAIRN_TEST_") || strings.HasPrefix(name, "CAIRN_BENCH") || name == "CAIRN_CHDB_LIB"
}
