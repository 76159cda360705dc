package mapping

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/services/collector/internal/door"
)

// Item is what one touchpoint is made of: JSON as encoding/json decodes it with
// UseNumber. It is not changed.
type Item struct {
	Value any
	Body  any // what $ leads into
	// Condition is Body as conditions take it, made by Condition: once for all items
	// of a body. nil: it is made for this one.
	Condition any
}

// Condition is a body as conditions take it; nil where the source has none.
func (s *Source) Condition(body any) any {
	if s.when == nil {
		return nil
	}
	return floats(body)
}

// Wanted reports whether the source's condition lets the item through.
func (s *Source) Wanted(it *Item) bool {
	if s.when == nil {
		return true
	}
	body := it.Condition
	if body == nil {
		body = floats(it.Body)
	}
	return s.when.Holds(map[string]any{"item": floats(it.Value), "body": body})
}

// floats is a copy with numbers as CEL takes them, without nulls.
func floats(v any) any {
	switch t := v.(type) {
	case json.Number:
		f, _ := t.Float64() // out of range: an infinity, which compares well
		return f
	case []any:
		list := make([]any, 0, len(t))
		for _, element := range t {
			list = append(list, floats(element))
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(t))
		for name, member := range t {
			if member != nil {
				object[name] = floats(member)
			}
		}
		return object
	}
	return v
}

// Apply makes the touchpoint of an item. A message id is set only if the item
// has one.
func (s *Source) Apply(it *Item, t *door.Touchpoint) *door.Reject {
	t.Type = s.kind.text(it)
	if t.Type == "" {
		t.Type = "track"
	}
	t.Event, t.Channel, t.Actor = s.event.text(it), s.channel.text(it), strings.ToLower(s.actor.text(it))
	switch {
	case !slices.Contains(types(), t.Type):
		return door.NewReject(door.CodeBadType, fmt.Sprintf("type is %q: want one of %s.", clip(t.Type), strings.Join(types(), ", ")), "")
	case t.Event == "" && (t.Type == "track" || s.event != nil && s.event.words != nil):
		return door.NewReject(door.CodeNoEvent, "The mapping finds no event for this item.", "")
	case t.Actor != "" && !slices.Contains(actors(), t.Actor):
		return door.NewReject(door.CodeBadActor, fmt.Sprintf("actor is %q: want customer or business.", clip(t.Actor)), "")
	}
	if at := s.timestamp.of(it); at != nil {
		when, err := s.clock.read(at)
		if err != nil {
			return door.NewReject(door.CodeBadTime, fmt.Sprintf("timestamp is %q: %v.", clip(text(at)), err), "")
		}
		t.Timestamp = when
	}
	if rej := s.identify(it, t); rej != nil {
		return rej
	}
	if t.Type == "page" || t.Type == "screen" {
		t.Name = t.Event
		t.Event = ""
	}
	t.MessageID = s.id(s.messageID.text(it))
	return s.attach(it, t)
}

// identify sets who the touchpoint is about.
func (s *Source) identify(it *Item, t *door.Touchpoint) *door.Reject {
	for _, f := range [...]struct {
		name string
		from *value
		into *string
	}{{"user_id", s.userID, &t.UserID}, {"anonymous_id", s.anonymousID, &t.AnonymousID}} {
		found := f.from.of(it)
		if isObject(found) {
			return door.NewReject(door.CodeBadField, f.name+" is an object: the path must lead to a text or a number.", "")
		}
		*f.into = text(found)
	}
	for _, x := range s.externalIDs {
		found := x.value.of(it)
		if isObject(found) {
			return door.NewReject(door.CodeBadField, "The external id "+x.kind+" is an object: the path must lead to a text or a number.", "")
		}
		if id := text(found); id != "" {
			t.ExternalIDs = append(t.ExternalIDs, door.ExternalID{Type: x.kind, ID: id})
		}
	}
	return nil
}

// id is the message id of what a system calls an item: with the source before
// it, for two systems may use one number. "" for none.
func (s *Source) id(own string) string {
	if own == "" || journey.Blocked(own) {
		return ""
	}
	id := s.Name + ":" + own
	if utf8.RuneCountInString(id) <= door.MaxMessageID {
		return id
	}
	sum := sha256.Sum256([]byte(own))
	return s.Name + ":" + hex.EncodeToString(sum[:16])
}

// attach sets properties and traits.
func (s *Source) attach(it *Item, t *door.Touchpoint) *door.Reject {
	properties := map[string]any{}
	if s.whole {
		object, ok := it.Value.(map[string]any)
		if !ok {
			return door.NewReject(door.CodeBadField, "The item is no object: list its properties in the mapping.", "")
		}
		maps.Copy(properties, object)
	}
	fill(properties, s.properties, it)
	if found := s.revenue.of(it); found != nil {
		amount, ok := s.amounts.read(found)
		if !ok {
			return door.NewReject(door.CodeBadField, fmt.Sprintf("revenue is %q: want a decimal number.", clip(text(found))), "")
		}
		properties["revenue"] = amount
	}
	if currency := s.currency.text(it); currency != "" {
		properties["currency"] = currency
	}
	if len(properties) > 0 {
		t.Properties = properties
	}
	traits := map[string]any{}
	if fill(traits, s.traits, it); len(traits) > 0 {
		t.Traits = traits
	}
	return nil
}

func fill(object map[string]any, list []named, it *Item) {
	for _, p := range list {
		if v := p.value.of(it); v != nil {
			object[p.name] = v
		}
	}
}

// clip bounds what a message repeats of an item.
func clip(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
