package warehouse

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/cairnhq/cairn/pkg/journey"
)

// Person is whom an erasure or an export is about: what was found to be theirs.
type Person struct {
	Users  []string              // bare user ids, all that aliases join
	Whole  []string              // identifiers kind:value that nobody else was seen with, those of Users included
	Shared map[string][][2]int64 // others were seen with too: when they were theirs, [from, to) in Unix ms
	Until  int64                 // latest event time, Unix ms; math.MaxInt64: all
	Bare   []string              // values of identifiers without their kind, as records are keyed

	pseudonym string // user id that stands for them in maps that an erasure has gone through; "": none
}

// Names are all identifiers, sorted.
func (p *Person) Names() []string {
	names := slices.Clone(p.Whole)
	for id := range p.Shared {
		names = append(names, id)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// shared are the shared identifiers in order.
func (p *Person) shared() []string {
	var list []string
	for id := range p.Shared {
		list = append(list, id)
	}
	slices.Sort(list)
	return list
}

// quoted is a string as a literal of SQL.
func quoted(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// identifier is a name as a quoted identifier of SQL.
func identifier(name string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(name) + "`"
}

// in is the condition that an expression is one of a list.
func in(what string, list []string) string {
	if len(list) == 0 {
		return "0"
	}
	return what + " IN (" + literals(list) + ")"
}

func literals(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = quoted(s)
	}
	return strings.Join(out, ", ")
}

func array(list []string) string { return "CAST([" + literals(list) + "] AS Array(String))" }

func millis(ms int64) string {
	return fmt.Sprintf("fromUnixTimestamp64Milli(toInt64(%d), 'UTC')", min(max(ms, minMillis), maxMillis))
}

// before is the condition that a time is not after Until.
func (p *Person) before(column string) string {
	if p.Until == math.MaxInt64 {
		return "1"
	}
	return column + " <= " + millis(p.Until)
}

// touchpoints is the condition that a row with the columns of touchpoints is theirs.
func (p *Person) touchpoints() string {
	var own []string
	own = append(own, in("identifier", p.Whole))
	for _, id := range p.shared() {
		var when []string
		for _, r := range p.Shared[id] {
			from, to := "1", "1"
			if r[0] != math.MinInt64 {
				from = "event_time >= " + millis(r[0])
			}
			if r[1] != math.MaxInt64 {
				to = "event_time < " + millis(r[1])
			}
			when = append(when, "("+from+" AND "+to+")")
		}
		if len(when) > 0 {
			own = append(own, "(identifier = "+quoted(id)+" AND ("+strings.Join(when, " OR ")+"))")
		}
	}
	return "(" + p.before("event_time") + " AND (" + in("user_id", p.Users) + " OR (user_id = '' AND (" + strings.Join(own, " OR ") + "))))"
}

// names is the condition that a column names one of the whole identifiers.
func (p *Person) names(column string) string { return in(column, p.Whole) }

// maps is the condition that an identities row tells of the person.
func (p *Person) maps() string {
	theirs := "arrayExists(m -> " + in("m.user_id", p.Users) + " AND " + p.before("m.from_at") + ", map)"
	return "((" + p.names("identifier") + " AND (empty(map) OR " + theirs + ")) OR (" + in("identifier", p.shared()) + " AND " + theirs + "))"
}

// Where identifiers stand in a raw record. Any other "id", as a product's, is nobody's.
const (
	idMembers   = `"(anonymousId|anonymous_id|userId|user_id|previousId|distinct_id)"\s*:\s*`
	idOfOthers  = `"externalIds"\s*:\s*\[[^\]]*"id"\s*:\s*`
	endOfNumber = `\s*[,}]`
)

var jsonNumber = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)

// rejected is the condition that a rejected record is theirs: a raw one by its key, or
// by what stands where identifiers stand; one that a sink could not store by its key,
// or by an identifier in it as Protobuf and JSON write it.
func (p *Person) rejected() string {
	var found []string
	for _, v := range p.Bare {
		value := regexp.QuoteMeta(jsonText(v))
		if jsonNumber.MatchString(v) {
			value = "(" + value + "|" + regexp.QuoteMeta(v) + endOfNumber + ")"
		}
		found = append(found, "match(value, "+quoted("("+idMembers+"|"+idOfOthers+")"+value)+")")
	}
	var written []string
	for _, name := range p.Whole {
		written = append(written, string(binary.AppendUvarint(nil, uint64(len(name))))+name, jsonText(name))
	}
	if len(written) > 0 {
		found = append(found, in("record_key", p.Whole),
			"(position(origin, '.touchpoints.raw/') = 0 AND arrayExists(i -> position(value, i) > 0, "+array(written)+"))")
	}
	if len(found) == 0 {
		return "0"
	}
	return "((" + in("record_key", p.Bare) + " OR " + strings.Join(found, " OR ") + ") AND " + p.before("received_at") + ")"
}

// jsonText is a string as JSON writes it.
func jsonText(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string and a buffer do not fail
	return strings.TrimSuffix(b.String(), "\n")
}

// mentions is the condition that a touchpoint of nobody known names an identifier of
// the person beside its own.
func (p *Person) mentions() string {
	return "(user_id = '' AND " + p.before("event_time") + " AND hasAny(other_identifiers, " + array(p.Whole) + ") AND NOT " + p.touchpoints() + ")"
}

// bare lists the values of identifiers that are not hashes.
func bare(names []string) []string {
	var list []string
	for _, n := range names {
		if _, value := journey.SplitIdentifier(n); value != "" {
			list = append(list, value)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Add adds an identifier that is theirs alone.
func (p *Person) Add(name string) {
	p.Whole = append(p.Whole, name)
	kind, value := journey.SplitIdentifier(name)
	if kind == journey.KindUser {
		p.Users = append(p.Users, value)
	}
	p.Bare = bare(p.Whole)
}

// Know adds a value that is stored hashed, as an address that was given in plain: it
// may stand in rejected records as it came. Empty: nothing is known.
func (p *Person) Know(plain string) {
	if plain != "" && !slices.Contains(p.Bare, plain) {
		p.Bare = append(p.Bare, plain)
		slices.Sort(p.Bare)
	}
}
