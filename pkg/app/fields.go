package app

import (
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// field is one setting: a leaf of Config.
type field struct {
	key   string // dotted yaml path: kafka.sasl.username
	help  string
	value reflect.Value
}

// fieldsOf lists the settings of c by key; values are settable.
func fieldsOf(c *Config) map[string]field {
	out := map[string]field{}
	collect(reflect.ValueOf(c).Elem(), "", out)
	return out
}

func collect(v reflect.Value, prefix string, out map[string]field) {
	for i := range v.NumField() {
		sf := v.Type().Field(i)
		tag := sf.Tag.Get("yaml")
		if !sf.IsExported() || tag == "" {
			continue
		}
		name, opts, _ := strings.Cut(tag, ",")
		if opts == "inline" {
			collect(v.Field(i), prefix, out)
			continue
		}
		key := prefix + name
		if sf.Type.Kind() == reflect.Struct {
			collect(v.Field(i), key+".", out)
			continue
		}
		out[key] = field{key: key, help: sf.Tag.Get("help"), value: v.Field(i)}
	}
}

// Keys lists the settings' dotted names in alphabetical order.
func Keys() []string {
	var keys []string
	for k := range fieldsOf(new(Config)) {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func isSecret(key string) bool { return slices.Contains(secretKeys(), key) }

// set parses text, as it stands in the environment, on the command line or in
// a YAML scalar.
func (f field) set(text string) error {
	switch p := f.value.Addr().Interface().(type) {
	case *string:
		*p = text
	case *time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%s is %q: want a duration, as in 500ms, 30s or 1h30m", f.key, text)
		}
		*p = d
	case *bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%s is %q: want true or false", f.key, text)
		}
		*p = b
	case *[]string:
		*p = splitList(text)
	case *[]WriteKey:
		*p = parseWriteKeys(text)
	default:
		return f.setNumber(text)
	}
	return nil
}

func (f field) setNumber(text string) error {
	n, err := strconv.ParseInt(strings.ReplaceAll(text, "_", ""), 10, 64)
	if err != nil || f.value.OverflowInt(n) {
		return fmt.Errorf("%s is %q: want a whole number", f.key, text)
	}
	f.value.SetInt(n)
	return nil
}

// text is the inverse of set.
func (f field) text() string {
	switch v := f.value.Interface().(type) {
	case []string:
		return strings.Join(v, ",")
	case []WriteKey:
		parts := make([]string, len(v))
		for i, k := range v {
			parts[i] = k.Key + ":" + k.Source
		}
		return strings.Join(parts, ",")
	default:
		return fmt.Sprint(v)
	}
}

func splitList(text string) []string {
	var out []string
	for s := range strings.SplitSeq(text, ",") {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// parseWriteKeys reads KEY:SOURCE,KEY:SOURCE; the source may be left out. A key's
// hash, sha256:HEX, may stand for it.
func parseWriteKeys(text string) []WriteKey {
	var out []WriteKey
	for _, s := range splitList(text) {
		key, source, _ := strings.Cut(s, ":")
		if digits, rest, _ := strings.Cut(source, ":"); isKeyHash(key + ":" + digits) {
			key, source = key+":"+digits, rest
		}
		out = append(out, WriteKey{Key: key, Source: source})
	}
	return out
}

// isKeyHash recognises the SHA-256 of a write key, as `cairn key new` prints it.
func isKeyHash(key string) bool {
	digits, ok := strings.CutPrefix(key, "sha256:")
	_, err := hex.DecodeString(digits)
	return ok && err == nil && len(digits) == 64
}

// EnvName is the environment variable of a setting.
func EnvName(key string) string {
	return "CAIRN_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// EnvNames lists every environment variable that Load reads, in alphabetical
// order: one per setting, CAIRN_..._FILE for the secrets, and CAIRN_CONFIG for
// the path of the file itself.
func EnvNames() []string {
	names := []string{EnvConfig}
	for _, k := range Keys() {
		names = append(names, EnvName(k))
		if isSecret(k) {
			names = append(names, EnvName(k)+"_FILE")
		}
	}
	slices.Sort(names)
	return names
}

// closest is the candidate nearest to name by edit distance, or "" if none is
// near enough to be what was meant.
func closest(name string, candidates []string) string {
	best, bestDistance := "", len(name)/3+2
	for _, c := range slices.Sorted(slices.Values(candidates)) {
		if d := distance(strings.ToLower(name), strings.ToLower(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// distance is the Levenshtein distance in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diag, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diag+cost)
		}
	}
	return row[len(b)]
}
