package mapping

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
	_ "time/tzdata" // zones must be the same on every machine, whatever it has installed

	"github.com/goccy/go-yaml/ast"
)

// clock reads a system's times.
type clock struct {
	format string         // rfc3339, unix, unix_ms; else layout counts
	layout string         // Go's
	zone   *time.Location // of times without an offset
}

const (
	formatRFC3339 = "rfc3339"
	formatUnix    = "unix"
	formatUnixMS  = "unix_ms"
)

func (r *reader) timestamp(n ast.Node) (*value, clock) {
	c := clock{format: formatRFC3339, zone: time.UTC}
	if _, isText := scalar(n); isText {
		return r.value(n, "timestamp", false), c
	}
	o := r.object(n, "timestamp", "path", "value", "map", "default", "format", "zone")
	v := r.parts(n, o, "timestamp")
	if x, ok := o["zone"]; ok {
		zone, err := time.LoadLocation(r.text(x.value, "timestamp.zone"))
		if err != nil {
			r.fail(x.value, "timestamp.zone: %v: want a name as in Europe/Berlin", err)
			return v, c
		}
		c.zone = zone
	}
	if x, ok := o["format"]; ok {
		if text := r.text(x.value, "timestamp.format"); text != "" {
			if err := c.setFormat(text); err != nil {
				r.fail(x.value, "timestamp.format: %v", err)
			}
		}
	}
	return v, c
}

func (c *clock) setFormat(text string) (err error) {
	c.format = text
	switch text {
	case formatRFC3339, formatUnix, formatUnixMS:
		return nil
	}
	if c.layout = text; strings.Contains(text, "%") {
		if c.layout, err = goLayout(text); err != nil {
			return err
		}
	}
	// A layout that tells days apart reads back what it has written.
	sample := time.Date(2021, 11, 23, 14, 0, 0, 0, time.UTC)
	back, err := time.ParseInLocation(c.layout, sample.Format(c.layout), time.UTC)
	if err != nil || back.Year() != 2021 || back.YearDay() != sample.YearDay() {
		return fmt.Errorf("%q tells no year, month and day: want %s, %s, %s, a strftime format as in %%d.%%m.%%Y %%H:%%M, or Go's as in 02.01.2006 15:04",
			text, formatRFC3339, formatUnix, formatUnixMS)
	}
	return nil
}

// goLayout turns a strftime format into Go's.
func goLayout(format string) (string, error) {
	directives := map[byte]string{
		'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'e': "_2", 'j': "002", 'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM",
		'b': "Jan", 'h': "Jan", 'B': "January", 'a': "Mon", 'A': "Monday", 'z': "-0700", 'Z': "MST", 'f': "000000", 'F': "2006-01-02", 'T': "15:04:05",
		'R': "15:04", 'D': "01/02/06", '%': "%",
	}
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			b.WriteByte(format[i])
			continue
		}
		i++
		if i == len(format) {
			return "", errors.New("it ends with a single %")
		}
		layout, ok := directives[format[i]]
		if !ok {
			return "", fmt.Errorf("%%%c is not supported", format[i])
		}
		b.WriteString(layout)
	}
	return b.String(), nil
}

// read is the time that a value says.
func (c *clock) read(v any) (time.Time, error) {
	s := text(v)
	switch c.format {
	case formatUnix:
		return unix(s, 1000)
	case formatUnixMS:
		return unix(s, 1)
	case formatRFC3339:
		for _, layout := range [...]string{
			time.RFC3339Nano, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05", "2006-01-02T15:04",
			"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05Z0700", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02",
		} {
			if at, err := time.ParseInLocation(layout, s, c.zone); err == nil {
				return at, nil
			}
		}
		return time.Time{}, errors.New("want a time as in 2026-05-17T10:05:03Z")
	}
	at, err := time.ParseInLocation(c.layout, s, c.zone)
	if err != nil {
		return time.Time{}, fmt.Errorf("want the format %s", c.format)
	}
	return at, nil
}

// unix reads a number of units of so many milliseconds since 1970, with or
// without a fraction.
func unix(s string, millis int64) (time.Time, error) {
	n, ok := decimal(s)
	if ok {
		n.Mul(n, big.NewRat(millis*1000, 1)) // microseconds
		if whole := new(big.Int).Quo(n.Num(), n.Denom()); whole.IsInt64() {
			return time.UnixMicro(whole.Int64()).UTC(), nil
		}
	}
	return time.Time{}, errors.New("want a number")
}

// amounts reads a system's amounts of money.
type amounts struct {
	divide int64 // 100 for cents; 0: 1
	comma  bool  // 1.234,50
}

func (r *reader) revenue(n ast.Node) (*value, amounts) {
	var a amounts
	if _, isText := scalar(n); isText {
		return r.value(n, "revenue", false), a
	}
	o := r.object(n, "revenue", "path", "value", "map", "default", "divide", "decimal")
	if x, ok := o["divide"]; ok {
		switch r.oneOf(x.value, "revenue.divide", "1", "10", "100", "1000") {
		case "10":
			a.divide = 10
		case "100":
			a.divide = 100
		case "1000":
			a.divide = 1000
		}
	}
	if x, ok := o["decimal"]; ok {
		a.comma = r.oneOf(x.value, "revenue.decimal", ".", ",") == ","
	}
	return r.parts(n, o, "revenue"), a
}

// read is an amount as a JSON number, exact to six digits.
func (a amounts) read(v any) (json.Number, bool) {
	s := text(v)
	if a.comma {
		s = strings.ReplaceAll(strings.ReplaceAll(s, ".", ""), ",", ".")
	}
	n, ok := decimal(s)
	if !ok {
		return "", false
	}
	if a.divide > 1 {
		n.Quo(n, big.NewRat(a.divide, 1))
	}
	out := n.FloatString(6)
	return json.Number(strings.TrimSuffix(strings.TrimRight(out, "0"), ".")), true
}

// maxDigits bounds the numbers that are computed with.
const maxDigits = 30

// decimal reads a decimal number without an exponent, exactly.
func decimal(s string) (*big.Rat, bool) {
	if len(s) > maxDigits || s == "" || strings.Trim(s, "+-.0123456789") != "" {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}
