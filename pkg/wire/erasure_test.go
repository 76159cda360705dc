package wire_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/wire"
)

// TestErasuresLoseNoSubject: a rebuild reads what was known of a person at first
// after what is known by now.
func TestErasuresLoseNoSubject(t *testing.T) {
	secret := []byte("key")
	first := wire.Erasure{ID: "1", UntilMillis: wire.Forever, Subjects: []wire.Subject{{Hash: wire.HashIdentifier(secret, "user:ida")}}}
	last := first
	last.Subjects = append(last.Subjects[:1:1], wire.Subject{Hash: wire.HashIdentifier(secret, "anonymous:phone")})
	phone := &journey.Touchpoint{Identifier: "anonymous:phone", Time: 5}
	l := wire.NewErasures(secret)
	l.Add(&first)
	require.Nil(t, l.Touchpoint(phone).By)
	for _, e := range []*wire.Erasure{&last, &first, &last} {
		l.Add(e)
		require.NotNil(t, l.Touchpoint(phone).By)
		require.NotNil(t, l.User("ida", 5))
	}
}
