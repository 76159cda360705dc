package forget

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/cairnhq/cairn/pkg/enrich"
	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/wire"
)

// Name is an identifier of a person.
type Name struct {
	Stored string // kind:value as it is stored: emails and phones as their hashes
	Plain  string // the value as it was given, where that is not what is stored; else empty
}

// ParseName reads an identifier kind:value as people write it, as in user:42 or
// email:ida@example.com. The value of an email or phone that is a hash already, 64
// hexadecimal digits, is taken as it is. The error does not repeat the value.
func ParseName(secret []byte, text string) (Name, error) {
	kind, value, ok := strings.Cut(strings.TrimSpace(text), ":")
	if !ok || kind == "" {
		return Name{}, fmt.Errorf("an identifier is written kind:value, as in %s:42 or %s:ida@example.com", journey.KindUser, journey.KindEmail)
	}
	kind = wire.KindOf(kind) // as it is stored, however it is written
	clean, ok := journey.CleanIdentifier(kind, value)
	if !ok {
		return Name{}, fmt.Errorf("the value of an identifier of kind %s is empty, or one that stands for nobody", kind)
	}
	n := Name{Stored: kind + ":" + clean}
	if kind != journey.KindEmail && kind != journey.KindPhone || isHash(clean) {
		return n, nil
	}
	t := journey.Touchpoint{Identifier: n.Stored}
	e := enrich.Enricher{Secret: secret}
	e.Apply(&t)
	n.Stored, n.Plain = t.Identifier, clean
	return n, nil
}

func isHash(value string) bool {
	raw, err := hex.DecodeString(value)
	return err == nil && len(raw) == 32
}
