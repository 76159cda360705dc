package privacy

import "encoding/json"

type answer int

const (
	unsaid answer = iota
	granted
	denied
)

// consent is what an event says, in the forms that SDKs have.
type consent struct {
	Context struct {
		Consent           json.RawMessage `json:"consent"`
		ConsentManagement struct {        // RudderStack's
			Allowed json.RawMessage `json:"allowedConsentIds"`
			Denied  json.RawMessage `json:"deniedConsentIds"`
		} `json:"consentManagement"`
	} `json:"context"`

	categories map[string]bool
	status     answer // of everything: cairn's own tracker
}

// readConsent finds nothing where nothing can be read.
func readConsent(value []byte) *consent {
	c := &consent{categories: map[string]bool{}}
	if json.Unmarshal(value, c) != nil {
		return &consent{}
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(c.Context.Consent, &members) == nil {
		c.flags(members)
		var preferences map[string]json.RawMessage // Segment's
		if json.Unmarshal(members["categoryPreferences"], &preferences) == nil {
			c.flags(preferences)
		}
		var status string
		if json.Unmarshal(members["status"], &status) == nil {
			c.status = map[string]answer{"granted": granted, "denied": denied}[status]
		}
	}
	c.list(c.Context.ConsentManagement.Allowed, true)
	c.list(c.Context.ConsentManagement.Denied, false)
	return c
}

func (c *consent) flags(members map[string]json.RawMessage) {
	for name, raw := range members {
		var yes bool
		if json.Unmarshal(raw, &yes) == nil && string(raw) != "null" {
			c.say(name, yes)
		}
	}
}

// list reads a list of names.
func (c *consent) list(raw json.RawMessage, yes bool) {
	var names []string
	if json.Unmarshal(raw, &names) != nil {
		return
	}
	for _, name := range names {
		c.say(name, yes)
	}
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
