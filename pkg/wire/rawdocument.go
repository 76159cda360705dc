package wire

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// slot is a place for a member that is looked for.
type slot uint8

const (
	unknown slot = iota // not looked for

	// Top level.
	typeSlot
	eventSlot
	nameSlot
	messageIDSlot
	anonymousIDSlot
	userIDSlot
	previousIDSlot
	externalIDsSlot
	timestampSlot
	originalSlot
	sentSlot
	receivedSlot
	channelSlot
	actorSlot
	sourceSlot
	contextSlot
	propertiesSlot
	traitsSlot

	// Of the context.
	pageSlot
	campaignSlot
	deviceSlot
	userAgentSlot
	ipSlot
	localeSlot
	contextTraitsSlot
	contextIDsSlot
	// Of its page, campaign and device.
	pageURLSlot
	pagePathSlot
	pageTitleSlot
	pageReferrerSlot
	campaignSourceSlot
	campaignMediumSlot
	campaignNameSlot
	campaignTermSlot
	campaignContentSlot
	campaignIDSlot
	deviceTypeSlot
	deviceModelSlot

	// Of the properties.
	revenueSlot
	totalSlot
	currencySlot
	urlSlot
	pathSlot
	titleSlot
	referrerSlot

	slots // their number
)

// place is an object whose members are looked for.
type place uint8

const (
	nowhere place = iota
	topLevel
	inContext
	inPage
	inCampaign
	inDevice
	inProperties
)

// inside is where the members of a slot's object are looked for.
func inside(f slot) place {
	switch f {
	case contextSlot:
		return inContext
	case propertiesSlot:
		return inProperties
	case pageSlot:
		return inPage
	case campaignSlot:
		return inCampaign
	case deviceSlot:
		return inDevice
	default:
		return nowhere
	}
}

// find is the slot of a name in a place.
func find(in place, name string) slot {
	switch in {
	case topLevel:
		return findTop(name)
	case inContext:
		return findContext(name)
	case inPage:
		switch name {
		case "url":
			return pageURLSlot
		case "path":
			return pagePathSlot
		case "title":
			return pageTitleSlot
		case "referrer":
			return pageReferrerSlot
		}
	case inCampaign:
		return findCampaign(name)
	case inDevice:
		switch name {
		case "type":
			return deviceTypeSlot
		case "model":
			return deviceModelSlot
		}
	case inProperties:
		return findProperty(name)
	default:
	}
	return unknown
}

func findTop(name string) slot {
	switch name {
	case "type":
		return typeSlot
	case "event":
		return eventSlot
	case "name":
		return nameSlot
	case "messageId":
		return messageIDSlot
	case "anonymousId":
		return anonymousIDSlot
	case "userId":
		return userIDSlot
	case "previousId":
		return previousIDSlot
	case "externalIds":
		return externalIDsSlot
	case "timestamp":
		return timestampSlot
	case "originalTimestamp":
		return originalSlot
	case "sentAt":
		return sentSlot
	case "receivedAt":
		return receivedSlot
	case "channel":
		return channelSlot
	case "actor":
		return actorSlot
	case "source":
		return sourceSlot
	case "context":
		return contextSlot
	case "properties":
		return propertiesSlot
	case "traits":
		return traitsSlot
	}
	return unknown
}

func findContext(name string) slot {
	switch name {
	case "page":
		return pageSlot
	case "campaign":
		return campaignSlot
	case "device":
		return deviceSlot
	case "userAgent":
		return userAgentSlot
	case "ip":
		return ipSlot
	case "locale":
		return localeSlot
	case "traits":
		return contextTraitsSlot
	case "externalIds":
		return contextIDsSlot
	}
	return unknown
}

func findCampaign(name string) slot {
	switch name {
	case "source":
		return campaignSourceSlot
	case "medium":
		return campaignMediumSlot
	case "name":
		return campaignNameSlot
	case "term":
		return campaignTermSlot
	case "content":
		return campaignContentSlot
	case "id":
		return campaignIDSlot
	}
	return unknown
}

func findProperty(name string) slot {
	switch name {
	case "revenue":
		return revenueSlot
	case "total":
		return totalSlot
	case "currency":
		return currencySlot
	case "url":
		return urlSlot
	case "path":
		return pathSlot
	case "title":
		return titleSlot
	case "referrer":
		return referrerSlot
	}
	return unknown
}

// document is a raw touchpoint that has been read once: what is looked for, by
// slot, and the members that are only kept.
type document struct {
	scanner
	text  string // data, as a string
	at    [slots]value
	other memberList // of the top level
	rest  memberList // of the context
}

// read reads the whole document. It is false for what is no JSON object, not
// UTF-8, or nested too deep.
func (d *document) read(data []byte) bool {
	// A copy would cost; nothing changes the bytes while the record lives.
	d.data, d.text = data, unsafe.String(unsafe.SliceData(data), len(data))
	i := d.space(0)
	if i >= len(data) || data[i] != '{' {
		return false
	}
	if i, _ = d.members(i+1, 1, topLevel); i == bad || d.space(i) != len(data) {
		return false
	}
	return d.ascii() || utf8.Valid(data)
}

// members reads the rest of an object, and keeps what is looked for in it.
func (d *document) members(i, depth int, in place) (end int, members bool) {
	for first := true; ; first = false {
		name, at := d.member(i, first)
		if at == bad || name.kind == absent {
			return at, !first
		}
		f := find(in, d.string(name))
		var v value
		if to := inside(f); to != nowhere && at < len(d.data) && d.data[at] == '{' {
			d.forget(f)
			v = value{from: int32(at), kind: jsonObject}
			i, v.more = d.members(at+1, depth+1, to)
			v.to = int32(i)
		} else {
			v, i = d.value(at, depth)
		}
		if i == bad {
			return bad, false
		}
		d.keep(in, f, name, v)
	}
}

// keep puts a member where it belongs. The last one of a name counts; a null on
// the top level is none.
func (d *document) keep(in place, f slot, name, v value) {
	switch {
	case in == topLevel && v.kind == jsonNull:
		return
	case in == topLevel && f == unknown:
		d.other.add(name, v)
		return
	case in == topLevel && v.kind != jsonObject:
		d.forget(f)
	case in == inContext && (f == unknown || f == deviceSlot):
		d.rest.add(name, v)
	case f == contextIDsSlot:
		d.rest.add(name, v)
		if d.at[f].kind != absent {
			return // of these the first counts
		}
	}
	d.at[f] = v
}

// forget makes room for another context or other properties.
func (d *document) forget(f slot) {
	switch {
	case d.at[f].kind == absent: // as mostly: it is the first
	case f == contextSlot:
		clear(d.at[pageSlot:revenueSlot])
		d.rest = memberList{}
	case f == propertiesSlot:
		clear(d.at[revenueSlot:])
	}
}

// string is the text of a string.
func (d *document) string(v value) string {
	if v.more {
		return unescape(d.text[v.from+1 : v.to-1])
	}
	return d.text[v.from+1 : v.to-1]
}

// get is the text of a string, number or boolean, else "".
func (d *document) get(f slot) string { return d.textOf(d.at[f]) }

func (d *document) textOf(v value) string {
	switch v.kind {
	case jsonString:
		return d.string(v)
	case jsonNumber, jsonBool:
		return d.text[v.from:v.to]
	default:
		return ""
	}
}

// object is the JSON text of a non-empty object, else "".
func (d *document) object(f slot) string {
	if v := d.at[f]; v.kind == jsonObject && v.more {
		return d.text[v.from:v.to]
	}
	return ""
}

// unescape is the text of a string with escapes that has been checked. Half a
// surrogate pair reads U+FFFD.
func unescape(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		c := s[i+1]
		s = s[i+2:]
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r := hex4(s)
			s = s[4:]
			if utf16.IsSurrogate(r) && len(s) >= 6 && s[0] == '\\' && s[1] == 'u' {
				if pair := utf16.DecodeRune(r, hex4(s[2:])); pair != utf8.RuneError {
					r, s = pair, s[6:]
				}
			}
			b.WriteRune(r)
			continue
		}
		b.WriteByte(c)
	}
}

// hex4 is the value of four hexadecimal digits.
func hex4(s string) (r rune) {
	for _, c := range []byte(s[:4]) {
		if c > '9' {
			c += 9 // 'a' and 'A' end in 1
		}
		r = r<<4 | rune(c&15)
	}
	return r
}

// memberList holds members of an object as they were written. Its first ones
// need no memory of their own.
type memberList struct {
	n    int
	few  [10]jsonMember
	more []jsonMember
}

// jsonMember is where a member's name and value stand.
type jsonMember struct{ name, nameEnd, value, valueEnd int32 }

func (l *memberList) add(name, v value) {
	m := jsonMember{name.from, name.to, v.from, v.to}
	if l.n < len(l.few) {
		l.few[l.n] = m
	} else {
		l.more = append(l.more, m)
	}
	l.n++
}

// size is how many bytes appendTo adds at most.
func (l *memberList) size() (n int) {
	for i := range l.n {
		m := l.get(i)
		n += int(m.valueEnd-m.name) + 2
	}
	return n
}

func (l *memberList) get(i int) jsonMember {
	if i < len(l.few) {
		return l.few[i]
	}
	return l.more[i-len(l.few)]
}

// appendTo adds the members to an object, without the white space around names.
func (l *memberList) appendTo(b *strings.Builder, text string) {
	for i := range l.n {
		if i > 0 {
			b.WriteByte(',')
		}
		m := l.get(i)
		b.WriteString(text[m.name:m.nameEnd])
		b.WriteByte(':')
		b.WriteString(text[m.value:m.valueEnd])
	}
}
