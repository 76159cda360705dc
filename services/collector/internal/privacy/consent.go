package privacy

import "github.com/tidwall/gjson"

type answer int

const (
	unsaid answer = iota
	granted
	denied
)

// consent is what an event says, in the forms that SDKs have.
type consent struct {
	categories map[string]bool
	status     answer // of everything: cairn's own tracker
}

// readConsent finds nothing where nothing can be read. Only what is asked for is
// looked at: reading the whole event took longer than all else that is done to it.
func readConsent(value []byte) *consent {
	c := &consent{}
	about := gjson.GetBytes(value, "context")
	said, managed := about.Get("consent"), about.Get("consentManagement") // the second is RudderStack's
	if said.Exists() || managed.Exists() {
		c.categories = map[string]bool{}
	}
	if said.IsObject() {
		c.flags(said)
		c.flags(said.Get("categoryPreferences")) // Segment's
		c.status = map[string]answer{"granted": granted, "denied": denied}[said.Get("status").String()]
	}
	c.list(managed.Get("allowedConsentIds"), true)
	c.list(managed.Get("deniedConsentIds"), false)
	return c
}

// flags reads the members of an object that are true or false.
func (c *consent) flags(members gjson.Result) {
	if !members.IsObject() {
		return
	}
	members.ForEach(func(name, yes gjson.Result) bool {
		if yes.IsBool() {
			c.say(name.String(), yes.Bool())
		}
		return true
	})
}

// list reads the names of a list.
func (c *consent) list(names gjson.Result, yes bool) {
	if !names.IsArray() {
		return
	}
	names.ForEach(func(_, name gjson.Result) bool {
		if name.Type == gjson.String {
			c.say(name.String(), yes)
		}
		return true
	})
}

// say notes an answer. Of two that differ, no counts.
func (c *consent) say(name string, yes bool) {
	for known, before := range c.categories {
		if sameCategory(known, name) {
			c.categories[known] = before && yes
			return
		}
	}
	c.categories[name] = yes
}

func (c *consent) of(category string) answer {
	if c.status == denied {
		return denied
	}
	for name, yes := range c.categories {
		if sameCategory(name, category) {
			if yes {
				return granted
			}
			return denied
		}
	}
	return c.status
}
