package wire

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
	"unsafe"

	"github.com/tidwall/gjson"

	"github.com/cairnhq/cairn/pkg/journey"
)

// This file is the decoder as it was before it read each byte once, with the
// helpers it used: slow, plain, and the judge of the one in raw.go.

// refMembers are the raw JSON texts of a touchpoint's top level.
type refMembers struct {
	typ, event, name, messageID, anonymousID, userID, previousID, externalIDs gjson.Result
	timestamp, original, sent, received                                       gjson.Result
	channel, actor, source, context, properties, traits                       gjson.Result

	other []refMember // those that are not known, to be kept
}

// refMember is a name and a value as JSON.
type refMember struct{ name, value string }

func (m *refMembers) slot(key string) *gjson.Result {
	switch key {
	case "type":
		return &m.typ
	case "event":
		return &m.event
	case "name":
		return &m.name
	case "messageId":
		return &m.messageID
	case "anonymousId":
		return &m.anonymousID
	case "userId":
		return &m.userID
	case "previousId":
		return &m.previousID
	case "externalIds":
		return &m.externalIDs
	case "timestamp":
		return &m.timestamp
	case "originalTimestamp":
		return &m.original
	case "sentAt":
		return &m.sent
	case "receivedAt":
		return &m.received
	case "channel":
		return &m.channel
	case "actor":
		return &m.actor
	case "source":
		return &m.source
	case "context":
		return &m.context
	case "properties":
		return &m.properties
	case "traits":
		return &m.traits
	}
	return nil
}

// decodeRawReference reads a raw touchpoint (docs/touchpoints.md). Errors are *RawError.
// It sets everything but what enrichment and the device step add; on an error,
// what it had read until then.
func decodeRawReference(in *RawRecord, out *Raw) error {
	*out = Raw{}
	if len(in.Value) > MaxRaw {
		return &RawError{ReasonTooLarge, "", fmt.Errorf("the record has %d bytes, the limit is %d", len(in.Value), MaxRaw)}
	}
	if refTooDeep(in.Value) {
		return &RawError{ReasonBadJSON, "", fmt.Errorf("the value is nested deeper than %d levels", maxDepth)}
	}
	if !utf8.Valid(in.Value) || !gjson.ValidBytes(in.Value) {
		return &RawError{ReasonBadJSON, "", errors.New("the value is not valid JSON")}
	}
	// gjson would copy the value; nothing changes it while the record lives.
	doc := gjson.Parse(unsafe.String(unsafe.SliceData(in.Value), len(in.Value)))
	if !doc.IsObject() {
		return &RawError{ReasonBadJSON, "", errors.New("the value is JSON, but not an object")}
	}
	var m refMembers
	doc.ForEach(func(k, v gjson.Result) bool {
		switch slot := m.slot(k.Str); {
		case v.Type == gjson.Null:
		case slot != nil:
			*slot = v
		default:
			m.other = append(m.other, refMember{k.Raw, v.Raw})
		}
		return true
	})
	*out = Raw{Touchpoint: journey.Touchpoint{
		RawPartition: in.Partition, RawOffset: in.Offset,
		Source: refCut(refFirst(refText(m.source), in.Source)),
	}}
	for _, read := range []func(*RawRecord, *refMembers, *Raw) error{refReadKind, refReadIdentifiers, refReadTimes} {
		if err := read(in, &m, out); err != nil {
			return err
		}
	}
	refReadContext(&m, &out.Touchpoint)
	refReadProperties(&m, &out.Touchpoint)
	t := &out.Touchpoint
	if id := refText(m.messageID); !refBlocked(id) {
		t.MessageID = refCut(strings.TrimSpace(id))
	} else {
		t.MessageID = "raw-" + strconv.Itoa(int(in.Partition)) + "-" + strconv.FormatInt(in.Offset, 10)
	}
	if in.Backfill {
		t.Flags |= journey.FlagBackfill
	}
	return nil
}

// refTooDeep counts brackets outside of strings.
func refTooDeep(b []byte) bool {
	if len(b) < maxDepth {
		return false
	}
	depth, inString, escaped := 0, false, false
	for _, c := range b {
		switch {
		case escaped:
			escaped = false
		case inString:
			escaped, inString = c == '\\', c != '"'
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// refReadKind reads type, event and actor.
func refReadKind(_ *RawRecord, m *refMembers, out *Raw) error {
	t := &out.Touchpoint
	t.Type = strings.ToLower(refText(m.typ))
	event := strings.TrimSpace(refText(m.event))
	switch t.Type {
	case "":
		if event == "" {
			return &RawError{ReasonBadType, "/type", errors.New("neither a type nor an event is given")}
		}
		t.Type = "track"
	case "track", "identify", "group", "alias":
	case "page":
		event = refFirst(event, "page_viewed")
	case "screen":
		event = refFirst(event, "screen_viewed")
	default:
		return &RawError{ReasonBadType, "/type", fmt.Errorf("type %q is none of track, page, screen, identify, group, alias", refCut(t.Type))}
	}
	t.Event = refSnakeCase(refCut(refFirst(event, t.Type)))
	switch t.Actor = strings.ToLower(refText(m.actor)); t.Actor {
	case "":
		t.Actor = journey.ActorCustomer
	case journey.ActorCustomer, journey.ActorBusiness:
	default:
		return &RawError{ReasonBadActor, "/actor", fmt.Errorf("actor %q is neither customer nor business", refCut(t.Actor))}
	}
	t.Channel = strings.ToLower(refCut(refText(m.channel)))
	return nil
}

// refReadIdentifiers reads who the touchpoint is of (semantics D3).
func refReadIdentifiers(_ *RawRecord, m *refMembers, out *Raw) error {
	t := &out.Touchpoint
	add := func(kind, value string) {
		value, ok := refCleanIdentifier(kind, refCut(value))
		if !ok {
			return
		}
		if kind == journey.KindUser && t.UserID == "" {
			t.UserID = value
		}
		switch id := kind + ":" + value; {
		case t.Identifier == "":
			t.Identifier, out.Key = id, value
		case kind != journey.KindUser && id != t.Identifier:
			t.Others, out.OtherKeys = append(t.Others, id), append(out.OtherKeys, value)
		}
	}
	add(journey.KindAnonymous, refText(m.anonymousID))
	add(journey.KindUser, refText(m.userID))
	external := func(_, v gjson.Result) bool {
		add(refKindOf(refText(v.Get("type"))), refText(v.Get("id")))
		return len(t.Others) < 16
	}
	if m.externalIDs.IsArray() {
		m.externalIDs.ForEach(external)
	} else if ids := m.context.Get("externalIds"); ids.IsArray() {
		ids.ForEach(external)
	}
	if t.Identifier == "" {
		return &RawError{ReasonNoIdentifier, "", errors.New("no usable anonymousId, userId or externalIds: nobody to count it for")}
	}
	if id, ok := refCleanIdentifier(journey.KindUser, refText(m.previousID)); ok {
		t.PreviousID = refCut(id)
	}
	return nil
}

// refKindOf is the kind of an external id's type.
func refKindOf(typ string) string {
	typ = refSnakeCase(typ)
	switch typ {
	case "":
		return "external"
	case "user_id", "userid":
		return journey.KindUser
	case "anonymous_id":
		return journey.KindAnonymous
	}
	if len(typ) > 32 {
		typ = refCutAt(typ, 32)
	}
	return strings.ReplaceAll(typ, ":", "_")
}

// refReadTimes reads the times and settles the event time (semantics D2).
func refReadTimes(in *RawRecord, m *refMembers, out *Raw) error {
	t := &out.Touchpoint
	var times journey.Times
	for _, f := range [...]struct {
		name string
		v    *gjson.Result
		into *int64
	}{
		{"/timestamp", &m.timestamp, &times.Timestamp},
		{"/originalTimestamp", &m.original, &times.Original},
		{"/sentAt", &m.sent, &times.Sent},
		{"/receivedAt", &m.received, &times.Received},
	} {
		if !f.v.Exists() {
			continue
		}
		ms, err := refParseTime(f.v)
		if err != nil {
			return &RawError{ReasonBadTime, f.name, err}
		}
		*f.into = ms
	}
	if times.Received == 0 || times.Received > in.Arrival+arrivalSlack {
		times.Received = in.Arrival // nothing arrives before it is there
	}
	t.Received = times.Received
	var flags uint32
	t.Time, flags, t.Original = journey.EventTime(times)
	t.Flags |= flags
	return nil
}

// refParseTime reads RFC 3339, or a number of ms (or s) since 1970.
func refParseTime(v *gjson.Result) (int64, error) {
	var ms int64
	switch v.Type {
	case gjson.String:
		at, err := time.Parse(time.RFC3339, v.Str)
		if err != nil {
			return 0, fmt.Errorf("%q is not an RFC 3339 time such as 2026-05-17T10:05:03.000Z", refCut(v.Str))
		}
		ms = at.UnixMilli()
	case gjson.Number:
		ms = int64(v.Num)
		if v.Num < 1e11 { // seconds until the year 5138, ms from 1973 on
			ms = int64(v.Num * 1000)
		}
	default:
		return 0, errors.New("a time is a string or a number")
	}
	if ms <= minTime || ms > maxTime {
		return 0, errors.New("the time lies outside 1970 to 2100")
	}
	return ms, nil
}

// refText is a string, or the text of a number or boolean.
func refText(v gjson.Result) string {
	switch v.Type {
	case gjson.String:
		return v.Str
	case gjson.Number, gjson.True, gjson.False:
		return v.Raw
	default:
		return ""
	}
}

func refFirst(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// refCut bounds a text, at a character.
func refCut(s string) string {
	return refCutAt(s, maxText)
}

func refCutAt(s string, end int) string {
	if len(s) <= end {
		return s
	}
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// refReadContext reads what has a column, and keeps the rest of the context; members
// of the touchpoint that are not known go there, too, under "other".
func refReadContext(m *refMembers, t *journey.Touchpoint) {
	var rest, other strings.Builder
	for _, o := range m.other {
		refAppendMember(&other, o.name, o.value)
	}
	if m.context.IsObject() {
		refReadContextMembers(m, t, &rest)
	}
	if other.Len() > 0 {
		refAppendMember(&rest, `"other"`, other.String()+"}")
	}
	if rest.Len() > 0 {
		t.Context = rest.String() + "}"
	}
}

// refAppendMember adds a member to a JSON object that is still open.
func refAppendMember(b *strings.Builder, name, value string) {
	if b.Len() == 0 {
		b.WriteByte('{')
	} else {
		b.WriteByte(',')
	}
	b.WriteString(name)
	b.WriteByte(':')
	b.WriteString(value)
}

func refReadContextMembers(m *refMembers, t *journey.Touchpoint, rest *strings.Builder) {
	m.context.ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "page":
			refReadPage(v, &t.Page)
		case "campaign":
			v.ForEach(func(k, v gjson.Result) bool {
				switch s := refCut(refText(v)); k.Str {
				case "source":
					t.Campaign.Source = s
				case "medium":
					t.Campaign.Medium = s
				case "name":
					t.Campaign.Name = s
				case "term":
					t.Campaign.Term = s
				case "content":
					t.Campaign.Content = s
				case "id":
					t.CampaignID = s
				}
				return true
			})
		case "userAgent":
			t.UserAgent = refCut(refText(v))
		case "ip":
			t.IP = refCut(refText(v))
		case "locale":
			t.Locale = refCut(refText(v))
		case "traits":
			if !m.traits.Exists() {
				t.Traits = refObject(v)
			}
		default:
			refAppendMember(rest, k.Raw, v.Raw)
		}
		return true
	})
}

func refReadPage(v gjson.Result, p *journey.Page) {
	v.ForEach(func(k, v gjson.Result) bool {
		switch s := refCut(refText(v)); k.Str {
		case "url":
			p.URL = s
		case "path":
			p.Path = s
		case "title":
			p.Title = s
		case "referrer":
			p.Referrer = s
		}
		return true
	})
}

// refReadProperties keeps properties and traits whole, and reads what has a column.
func refReadProperties(m *refMembers, t *journey.Touchpoint) {
	t.Properties = refObject(m.properties)
	if s := refObject(m.traits); s != "" {
		t.Traits = s
	}
	var revenue, total gjson.Result
	var page journey.Page
	m.properties.ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "revenue":
			revenue = v
		case "total":
			total = v
		case "currency":
			t.Currency = refCut(refText(v))
		case "url":
			page.URL = refCut(refText(v))
		case "path":
			page.Path = refCut(refText(v))
		case "title":
			page.Title = refCut(refText(v))
		case "referrer":
			page.Referrer = refCut(refText(v))
		}
		return true
	})
	if t.Type == "page" || t.Type == "screen" { // the spec puts the page there, too
		t.Page = journey.Page{
			URL: refFirst(t.Page.URL, page.URL), Path: refFirst(t.Page.Path, page.Path),
			Title: refFirst(t.Page.Title, refFirst(page.Title, refCut(refText(m.name)))), Referrer: refFirst(t.Page.Referrer, page.Referrer),
		}
	}
	if t.Page.Path == "" {
		t.Page.Path = refPathOf(t.Page.URL)
	}
	if !revenue.Exists() && t.Event == "order_completed" {
		revenue = total
	}
	t.RevenueMicros = refMicros(refText(revenue))
}

// refObject is the JSON text of a non-empty object, else "".
func refObject(v gjson.Result) string {
	if !v.IsObject() || strings.TrimSpace(strings.Trim(v.Raw, "{}")) == "" {
		return ""
	}
	return v.Raw
}

// refPathOf is the path of a URL without query and fragment.
func refPathOf(url string) string {
	if url == "" {
		return ""
	}
	if i := strings.Index(url, "://"); i >= 0 {
		url = url[i+3:]
		i = strings.IndexAny(url, "/?#")
		if i < 0 {
			return "/"
		}
		url = url[i:]
	}
	if i := strings.IndexAny(url, "?#"); i >= 0 {
		url = url[:i]
	}
	return refFirst(url, "/")
}

// refMicros reads a decimal number as micro-units, exactly: sums must not depend on
// their order, and those of floats do. What is not a plain decimal number within
// +-9 * 10^12 is 0.
func refMicros(s string) int64 {
	s = strings.TrimSpace(s)
	neg := strings.HasPrefix(s, "-")
	whole, frac, _ := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	if whole == "" || len(whole) > 12 {
		return 0
	}
	if len(frac) > 6 {
		frac = frac[:6]
	}
	var n int64
	for _, digits := range [2]string{whole, frac + "000000"[len(frac):]} {
		for _, c := range digits {
			if c < '0' || c > '9' {
				return 0
			}
			if n > (math.MaxInt64-9)/10 {
				return 0
			}
			n = n*10 + int64(c-'0')
		}
	}
	if neg {
		return -n
	}
	return n
}

// refSnakeCase is the form in which event names compare (semantics D2): lower
// case, words joined by single underscores. "Order Completed", "orderCompleted"
// and "order-completed" all are order_completed. A name without a letter or a
// digit is only trimmed. SnakeCase(SnakeCase(s)) is SnakeCase(s), and a name in
// that form already is returned without an allocation.
func refSnakeCase(s string) string {
	if refIsSnake(s) {
		return s
	}
	runes := []rune(s)
	var b strings.Builder
	b.Grow(len(s) + 4)
	gap := false // a separator was seen since the last word character
	for i, r := range runes {
		if !refWordRune(r) {
			gap = true
			continue
		}
		if b.Len() > 0 && (gap || refStartsWord(runes, i)) {
			b.WriteByte('_')
		}
		gap = false
		b.WriteRune(unicode.ToLower(r))
	}
	if b.Len() == 0 {
		return strings.TrimSpace(s)
	}
	return b.String()
}

// refIsSnake reports whether s is plain ASCII and already in snake case.
func refIsSnake(s string) bool {
	last := byte('_') // a leading underscore is not snake case
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
		case c == '_' && last != '_':
		default:
			return false
		}
		last = c
	}
	return last != '_'
}

func refWordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) }

// refStartsWord reports whether the capital at i begins a word: after a small
// letter or a digit ("orderCompleted"), or as the last of a run of capitals
// that a small letter follows ("HTTPError").
func refStartsWord(runes []rune, i int) bool {
	if i == 0 || !refCapital(runes[i]) || !refWordRune(runes[i-1]) {
		return false
	}
	if !refCapital(runes[i-1]) {
		return true
	}
	return i+1 < len(runes) && unicode.IsLower(runes[i+1])
}

// capital leaves out what has no small form: it would still be one in the
// result, and start another word the next time.
func refCapital(r rune) bool { return unicode.IsUpper(r) && unicode.ToLower(r) != r }

// refBlocked reports whether an identifier's value stands for "nobody": the words
// that broken clients send, and values of only zeros and hyphens (semantics D3).
// Such a value counts as absent.
func refBlocked(value string) bool {
	value = strings.TrimSpace(value)
	if strings.Trim(value, "0-") == "" { // also the empty value
		return true
	}
	if len(value) > len("[object object]") {
		return false
	}
	switch strings.ToLower(value) {
	case "null", "nil", "none", "nan", "undefined", "unknown", "anonymous", "n/a", "na",
		"true", "false", "-1", "[object object]":
		return true
	}
	return false
}

// refCleanIdentifier is an identifier's value as it is compared: trimmed, emails
// in lower case. ok is false if it is blocked.
func refCleanIdentifier(kind, value string) (clean string, ok bool) {
	value = strings.TrimSpace(value)
	if refBlocked(value) {
		return "", false
	}
	if kind == journey.KindEmail {
		value = strings.ToLower(value)
	}
	return value, true
}
