package mapping

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cairnhq/cairn/pkg/journey"
)

// columnFields are the fields that a column may name.
func columnFields() []string {
	return []string{"message_id", "type", "event", "user_id", "anonymous_id", "timestamp", "channel", "actor", "revenue", "currency"}
}

// Columns maps a table's rows, whose items are objects with a member for each
// column. A column with a field's name is that field; the query's
// map=FIELD:COLUMN names another column for one, map=FIELD:=TEXT a constant.
// FIELD may be external_ids.KIND, properties.NAME and traits.NAME, too. Columns
// that are nothing else become properties. timestamp_format and time_zone are
// as in a mapping file. The error is a sentence for people.
func Columns(header []string, query url.Values) (*Source, error) {
	s := &Source{Name: "csv", clock: clock{format: formatRFC3339, zone: time.UTC}}
	c := columns{s: s, header: header, used: map[string]bool{}, fields: map[string]**value{
		"message_id": &s.messageID, "type": &s.kind, "event": &s.event, "user_id": &s.userID, "anonymous_id": &s.anonymousID,
		"timestamp": &s.timestamp, "channel": &s.channel, "actor": &s.actor, "revenue": &s.revenue, "currency": &s.currency,
	}}
	for _, rule := range query["map"] {
		if err := c.rule(rule); err != nil {
			return nil, err
		}
	}
	if err := c.times(query); err != nil {
		return nil, err
	}
	for _, name := range header {
		if c.used[name] || name == "" {
			continue
		}
		from := columnValue(name)
		if into := c.fields[journey.SnakeCase(name)]; into != nil && *into == nil {
			*into = from
		} else {
			s.properties = append(s.properties, named{name, from})
		}
	}
	switch {
	case s.userID == nil && s.anonymousID == nil && len(s.externalIDs) == 0:
		return nil, fmt.Errorf("no column names a customer: have one called user_id, or name it as in map=user_id:COLUMN (the columns are %s)", clip(strings.Join(header, ", ")))
	case s.event == nil && s.kind == nil:
		return nil, errors.New("no column names the event: have one called event, or name it as in map=event:COLUMN or map=event:=order_completed")
	}
	return s, nil
}

type columns struct {
	s      *Source
	header []string
	used   map[string]bool
	fields map[string]**value
}

func (c *columns) rule(rule string) error {
	field, from, ok := strings.Cut(rule, ":")
	if !ok || from == "" {
		return fmt.Errorf("map=%s: want FIELD:COLUMN or FIELD:=TEXT", clip(rule))
	}
	v := columnValue(from)
	if constant, isConstant := strings.CutPrefix(from, "="); isConstant {
		v = &value{constant: constant}
	} else if !slices.Contains(c.header, from) {
		return fmt.Errorf("map=%s: there is no column %q (there are %s)", clip(rule), clip(from), clip(strings.Join(c.header, ", ")))
	} else {
		c.used[from] = true
	}
	if into, known := c.fields[field]; known {
		*into = v
		return nil
	}
	kind, name, _ := strings.Cut(field, ".")
	switch {
	case name == "":
	case kind == "external_ids":
		c.s.externalIDs = append(c.s.externalIDs, external{name, v})
		return nil
	case kind == "properties":
		c.s.properties = append(c.s.properties, named{name, v})
		return nil
	case kind == "traits":
		c.s.traits = append(c.s.traits, named{name, v})
		return nil
	}
	return fmt.Errorf("map=%s: there is no field %q: want %s, external_ids.KIND, properties.NAME or traits.NAME", clip(rule), clip(field), strings.Join(columnFields(), ", "))
}

func (c *columns) times(query url.Values) error {
	if name := query.Get("time_zone"); name != "" {
		zone, err := time.LoadLocation(name)
		if err != nil {
			return fmt.Errorf("time_zone: %w: want a name as in Europe/Berlin", err)
		}
		c.s.clock.zone = zone
	}
	if format := query.Get("timestamp_format"); format != "" {
		if err := c.s.clock.setFormat(format); err != nil {
			return fmt.Errorf("timestamp_format: %w", err)
		}
	}
	return nil
}

func columnValue(name string) *value {
	p := column(name)
	return &value{path: &p}
}
