package app

import (
	"fmt"
	"io"
	"net/url"
	"reflect"

	"github.com/goccy/go-yaml"
)

// Redacted stands for a secret that was not printed.
const Redacted = "REDACTED"

// Redact is a copy of c in which secrets that have a value read Redacted. Of
// clickhouse.dsn only the password is one.
func (c *Config) Redact() *Config {
	out := *c
	if u, err := url.Parse(out.ClickHouse.DSN); err == nil {
		if _, has := u.User.Password(); has {
			u.User = url.UserPassword(u.User.Username(), Redacted)
		}
		if q := u.Query(); q.Has("password") {
			q.Set("password", Redacted)
			u.RawQuery = q.Encode()
		}
		out.ClickHouse.DSN = u.String()
	}
	out.Collector.WriteKeys = nil
	for _, k := range c.Collector.WriteKeys {
		out.Collector.WriteKeys = append(out.Collector.WriteKeys, WriteKey{Key: Redacted, Source: k.Source})
	}
	for _, s := range []*string{&out.Identity.Secret, &out.Kafka.SASL.Password} {
		if *s != "" {
			*s = Redacted
		}
	}
	return &out
}

// WriteYAML writes c as a cairn.yaml that Load reads back to the same values.
func (c *Config) WriteYAML(w io.Writer) error {
	text, err := yaml.Marshal(tree(reflect.ValueOf(c).Elem()))
	if err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	_, err = w.Write(text)
	return err
}

// tree keeps the order of the struct and writes durations as people do.
func tree(v reflect.Value) yaml.MapSlice {
	var out yaml.MapSlice
	for i := range v.NumField() {
		sf := v.Type().Field(i)
		tag := sf.Tag.Get("yaml")
		switch {
		case !sf.IsExported() || tag == "":
		case tag == ",inline":
			out = append(out, tree(v.Field(i))...)
		case sf.Type.Kind() == reflect.Struct:
			out = append(out, yaml.MapItem{Key: tag, Value: tree(v.Field(i))})
		default:
			out = append(out, yaml.MapItem{Key: tag, Value: plain(v.Field(i).Interface())})
		}
	}
	return out
}

func plain(v any) any {
	if s, ok := v.(fmt.Stringer); ok {
		return s.String()
	}
	return v
}

// Setting is one line of `cairn config print --origin`.
type Setting struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Origin string `json:"origin"`
	Env    string `json:"env"`
	Help   string `json:"help,omitempty"`
}

// Settings lists every setting with its value and where that is from.
func (c *Config) Settings() []Setting {
	fields := fieldsOf(c)
	var out []Setting
	for _, key := range Keys() {
		f := fields[key]
		out = append(out, Setting{key, f.text(), c.Origin(key).String(), EnvName(key), f.help})
	}
	return out
}
