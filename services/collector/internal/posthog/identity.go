package posthog

import (
	"strings"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/services/collector/internal/door"
)

// identify sets who acted. PostHog has one distinct_id for visitors and users;
// cairn has two fields. Which one it is, first answer wins:
//
//  1. $is_identified (posthog-js, the mobile SDKs): true is a user, false a visitor.
//  2. $process_person_profile false: a visitor.
//  3. $anon_distinct_id (of an $identify), or a $user_id equal to it: a user.
//  4. a $device_id equal to it: a visitor.
//  5. else a user: server SDKs are given the id of one.
//
// A user's visitor id is the $anon_distinct_id, else the $device_id: posthog-js's
// first distinct_id of that browser, so that a visit goes on when the visitor
// logs in.
func (b *builder) identify() {
	t := b.t
	id := b.distinctID()
	anonymous := b.id("$anon_distinct_id")
	device := b.id("$device_id")
	if b.isVisitor(id, anonymous, device) {
		t.AnonymousID = id
		return
	}
	t.UserID = id
	if anonymous == "" {
		anonymous = device
	}
	if anonymous != id {
		t.AnonymousID = anonymous
	}
}

func (b *builder) isVisitor(id, anonymous, device string) bool {
	if known, said := b.flag("$is_identified"); said {
		return !known
	}
	if profile, said := b.flag("$process_person_profile"); said && !profile {
		return true
	}
	if anonymous != "" || b.id("$user_id") == id {
		return false
	}
	return device == id
}

// distinctID is the event's distinct_id, from wherever SDKs put it.
func (b *builder) distinctID() string {
	for _, name := range [...]string{"distinct_id", "$distinct_id"} {
		if id := usable(scalar(b.event[name])); id != "" {
			return id
		}
		if id := b.id(name); id != "" {
			return id
		}
	}
	return ""
}

// pythonSDK names the SDK whose alias(previous_id, distinct_id) sends the previous
// one as the distinct_id; those of other languages send it as the alias.
const pythonSDK = "posthog-python"

// alias makes two ids one. PostHog merges the person of the alias into that of
// the distinct_id; what a visitor calls itself by is the user, though.
func (b *builder) alias() {
	t := b.t
	alias := b.id("alias")
	if t.UserID == "" { // a visitor: posthog-js's alias(user)
		t.Type, t.UserID = "identify", alias
		return
	}
	user, former := t.UserID, alias
	if scalar(b.properties["$lib"]) == pythonSDK && alias != "" {
		user, former = alias, t.UserID
	}
	// The former id may be a visitor's as well as a user's: SDKs do not say. Naming
	// it as both links both.
	t.Type, t.UserID, t.PreviousID, t.AnonymousID = "alias", user, former, former
}

// group sets the group and what is known of it. Where the SDK was not told who
// did it, the distinct_id is made of the group's own name: then the group is an
// identifier, and it was the business that acted.
func (b *builder) group() {
	t := b.t
	kind, key := scalar(b.properties["$group_type"]), usable(scalar(b.properties["$group_key"]))
	t.Type, t.GroupID = "group", key
	t.Traits = b.merged("$group_set")
	if id := t.UserID + t.AnonymousID; id == "$"+kind+"_"+key && key != "" {
		t.UserID, t.AnonymousID, t.Actor = "", "", journey.ActorBusiness
		t.ExternalIDs = []door.ExternalID{{Type: "group", ID: kind + ":" + key}}
	}
}

// id is a usable identifier of the properties, or "".
func (b *builder) id(name string) string { return usable(scalar(b.properties[name])) }

// usable is an identifier without white space around it, or "" for one that
// names nobody.
func usable(id string) string {
	if id = strings.TrimSpace(id); journey.Blocked(id) {
		return ""
	}
	return id
}
