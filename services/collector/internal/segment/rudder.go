package segment

import (
	"bytes"
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"github.com/cairnhq/cairn/services/collector/internal/door"
)

// anonymousHeader is how net/http writes RudderStack's header AnonymousId, which
// names whose batch it is, in base64.
const anonymousHeader = "Anonymousid"

// maxHeaderID bounds an id from a header, in bytes.
const maxHeaderID = 256

// headerID is the id of the header AnonymousId; nil: there is no usable one.
func headerID(in *door.Input) []byte {
	values := in.Header[anonymousHeader]
	if len(values) == 0 {
		return nil
	}
	id, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.TrimSpace(values[0]), "="))
	id = bytes.TrimSpace(id)
	if err != nil || len(id) > maxHeaderID || !utf8.Valid(id) || Blocked(string(id)) {
		return nil
	}
	return id
}

// channel writes what the event says of its channel. RudderStack's SDKs name
// their own kind there, which for servers is no channel of a customer.
func (b *builder) channel() {
	raw := b.raw(fChannel)
	switch {
	case raw == nil:
	case string(raw) == `"server"`:
		b.name("sdkChannel")
		b.out = append(b.out, raw...)
	case string(raw) == `"mobile"`:
		b.name("channel")
		b.out = append(b.out, `"app"`...)
	default:
		b.copy(fChannel)
	}
}
