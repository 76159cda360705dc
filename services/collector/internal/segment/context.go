package segment

import (
	"bytes"
	"net/netip"

	"github.com/cairnhq/cairn/pkg/enrich"
	"github.com/cairnhq/cairn/services/collector/internal/jsonscan"
)

// size is the room that members take.
func size(members []member) int {
	n := 0
	for i := range members {
		n += int(members[i].value.End-members[i].key.Start) + 1
	}
	return n
}

// context writes the event's context over the batch's, with the address
// truncated, what the connection tells filled in and a source that the client
// named itself.
func (b *builder) context() {
	before := len(b.out)
	b.name("context")
	b.out = append(b.out, '{')
	empty := len(b.out)
	var has [cExternalIDs + 1]bool
	own := b.q.in(b.e.context)
	for i := range own {
		has[own[i].field] = b.contextMember(&own[i]) || has[own[i].field]
	}
	shared := b.q.in(b.q.context)
	for i := range shared {
		if !b.holds(own, &shared[i]) {
			has[shared[i].field] = b.contextMember(&shared[i]) || has[shared[i].field]
		}
	}
	if b.m.IP != "" && !has[cIP] {
		b.name("ip")
		b.out = jsonscan.AppendQuoted(b.out, b.m.IP)
	}
	if b.m.UserAgent != "" && !has[cUserAgent] {
		b.name("userAgent")
		b.out = jsonscan.AppendQuoted(b.out, b.m.UserAgent)
	}
	if raw := b.raw(fSource); raw != nil && !has[cSource] {
		b.name("source")
		b.out = append(b.out, raw...)
	}
	if len(b.out) == empty {
		b.out = b.out[:before]
		return
	}
	b.out = append(b.out, '}')
}

// contextMember writes one member of a context and reports whether it did.
func (b *builder) contextMember(m *member) bool {
	switch m.field {
	case cIP:
		ip := truncated(m.value.In(b.q.body))
		if ip == "" {
			return false
		}
		b.name("ip")
		b.out = jsonscan.AppendQuoted(b.out, ip)
		return true
	case cExternalIDs:
		if m.value == b.e.known[fExternalIDs] {
			return true // moved to the top
		}
	case cUserAgent:
		if b.q.body[m.value.Start] == 'n' {
			return false
		}
	default: // passed through
	}
	b.comma()
	b.out = append(b.out, m.text(b.q.body)...)
	return true
}

// truncated is the address of a context, truncated. What is no address is
// dropped: it may be a list of addresses or one with something around it.
func truncated(raw []byte) string {
	if raw[0] != '"' {
		return ""
	}
	text := string(jsonscan.Unquote(raw, nil))
	if withPort, err := netip.ParseAddrPort(text); err == nil {
		text = withPort.Addr().String()
	}
	return enrich.TruncateIP(text)
}

// integrations writes the event's integrations over the batch's.
func (b *builder) integrations() {
	own, shared := b.q.in(b.e.integrations), b.q.in(b.q.integrations)
	if len(own)+len(shared) == 0 {
		return
	}
	b.name("integrations")
	b.out = append(b.out, '{')
	for i := range own {
		b.comma()
		b.out = append(b.out, own[i].text(b.q.body)...)
	}
	for i := range shared {
		if !b.holds(own, &shared[i]) {
			b.comma()
			b.out = append(b.out, shared[i].text(b.q.body)...)
		}
	}
	b.out = append(b.out, '}')
}

// holds reports whether the list has a member with the same key.
func (b *builder) holds(list []member, m *member) bool {
	for i := range list {
		if bytes.Equal(list[i].key.In(b.q.body), m.key.In(b.q.body)) {
			return true
		}
	}
	return false
}
