package warehouse

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// visit inserts a touchpoint, a session and the identity of a user on a device.
func (h *house) visit(user, device string) {
	h.t.Helper()
	tp := touch("m-"+user, device, minute(1))
	tp.UserId, tp.SessionId = user, "s-"+user
	h.touchpoints(tp)
	h.sessions(&wirepb.Session{SessionId: tp.SessionId, Identifier: device, Status: "closed", StartedMs: minute(1), EndedMs: minute(1), MintedMs: minute(1), Touchpoints: 1, Revision: 1})
	h.identities(&wirepb.Identity{Identifier: device, Map: []*wirepb.Link{{FromMs: minute(1), MessageId: tp.MessageId, UserId: user}}, Epoch: 1, Revision: 1})
}

// TestNamesAreNoSQL: whatever stands in a user id, that user is found, and nobody else.
func TestNamesAreNoSQL(t *testing.T) {
	h := newHouse(t)
	names := []string{
		"xUSERSx", "USERS) OR (1 = 1", "USERMAP", "DB.touchpoints", `o'hara`, `back\`, `\' OR 1 = 1 --`, "`tick`", "{a:String}", "?", "%s", "a\nb", "xx", "jan",
	}
	for _, n := range names {
		h.visit(n, "anonymous:"+n+"-phone")
	}
	for i, n := range names {
		p, err := Discover(t.Context(), h.conn, h.ns, "user:"+n, "", math.MaxInt64)
		require.NoError(t, err, n)
		require.ElementsMatch(t, []string{"user:" + n, "anonymous:" + n + "-phone"}, p.Whole, n)
		sessions, _, err := KeysOf(t.Context(), h.conn, h.ns, &p)
		require.NoError(t, err, n)
		require.Equal(t, []string{"s-" + n}, sessions)
		counts, err := CountPerson(t.Context(), h.conn, h.ns, &p)
		require.NoError(t, err, n)
		require.Equal(t, map[string]uint64{"touchpoints": 1, "sessions": 1, "identities": 1}, counts, n)
		if i == 0 {
			require.NoError(t, ErasePerson(t.Context(), h.conn, h.ns, &p))
			left, err := count(t.Context(), h.conn, "SELECT count() FROM "+h.ns+".touchpoints")
			require.NoError(t, err)
			require.Equal(t, len(names)-1, int(left), "the others stay")
		}
	}
}

// TestRejectedOfThePersonOnly: a rejected record is the person's if it names them where
// identifiers stand, or if a sink could not store it and it has them; not if some other
// id is the same.
func TestRejectedOfThePersonOnly(t *testing.T) {
	h := newHouse(t)
	raw, sunk := h.ns+".touchpoints.raw/0/", h.ns+".sessions/0/"
	protobuf := func(s string) string { return "\x0a" + string(binary.AppendUvarint(nil, uint64(len(s)))) + s }
	b := NewRejectedBatch()
	var want []string
	for i, c := range []struct {
		theirs             bool
		origin, key, value string
	}{
		{true, raw, "x", `{"userId":"42","type":"dance"}`},
		{true, raw, "x", `{"userId": 42, "type":"dance"}`},
		{true, raw, "x", `{"userId":42}`},
		{true, raw, "x", `{"externalIds":[{"type":"loyalty","id":"9"},{"type":"card","id":"42"}]}`},
		{true, raw, "42", `{`},
		{true, h.ns + ".touchpoints/0/", "user:42", "damaged"},
		{true, sunk, "5e55", protobuf("user:42")},
		{true, sunk, "5e55", `{"data":{"profile":"user:42"}}`},
		{false, raw, "x", `{"userId":"7","properties":{"products":[{"id":"42"}]}}`},
		{false, raw, "x", `{"userId":"7","externalIds":[{"id":"8"}],"properties":{"id":"42"}}`},
		{false, raw, "x", `{"userId":421}`},
		{false, raw, "x", `{"userId":"7","event":"user:42"}`},
		{false, sunk, "5e55", protobuf("user:421")},
		{false, h.ns + ".touchpoints/0/", "user:421", "damaged"},
	} {
		origin := fmt.Sprint(c.origin, 10+i)
		b.Add(&Rejected{Origin: origin, Reason: "test", ReceivedMillis: minute(1), Key: []byte(c.key), Value: []byte(c.value)})
		if c.theirs {
			want = append(want, origin)
		}
	}
	h.insert(b)
	p, err := Discover(t.Context(), h.conn, h.ns, "user:42", "", math.MaxInt64)
	require.NoError(t, err)
	require.ElementsMatch(t, want, h.column("SELECT origin FROM "+h.ns+".rejected WHERE "+p.rejected()))
	require.NoError(t, ErasePerson(t.Context(), h.conn, h.ns, &p))
	require.Len(t, h.column("SELECT origin FROM "+h.ns+".rejected"), 6)
}

// TestOtherNamespacesAreNotLookedInto: a namespace whose name begins like this one's is
// another's; a table in this one that cairn does not know is looked into, whatever its
// name.
func TestOtherNamespacesAreNotLookedInto(t *testing.T) {
	h := newHouse(t)
	h.visit("ida", "anonymous:ida-phone")
	other := h.ns + "_eu"
	h.exec("CREATE DATABASE " + other)
	t.Cleanup(func() { require.NoError(t, h.conn.Exec(context.Background(), "DROP DATABASE "+other)) })
	h.exec("CREATE TABLE " + other + ".touchpoints (identifier String) ENGINE = MergeTree ORDER BY tuple() AS SELECT 'user:ida'")
	odd := h.ns + ".`a-b``c`"
	h.exec("CREATE TABLE " + odd + " (`d``e` LowCardinality(Nullable(String))) ENGINE = MergeTree ORDER BY tuple()")
	p, err := Discover(t.Context(), h.conn, h.ns, "user:ida", "", math.MaxInt64)
	require.NoError(t, err)
	require.NoError(t, ErasePerson(t.Context(), h.conn, h.ns, &p))
	h.exec("INSERT INTO " + odd + " VALUES ('user:ida')")
	require.ErrorContains(t, ErasePerson(t.Context(), h.conn, h.ns, &p), "still name the person")
}

// TestAPersonOfManyIdentifiers: who has thousands is found and erased all the same.
func TestAPersonOfManyIdentifiers(t *testing.T) {
	h := newHouse(t)
	const many = 2500
	var list []*wirepb.Touchpoint
	for i := range many {
		tp := touch(fmt.Sprint("m", i), fmt.Sprintf("anonymous:0f8fad5b-d9cb-469f-a165-%012d", i), minute(1)+int64(i)*time.Second.Milliseconds())
		tp.UserId = "ida"
		list = append(list, tp)
	}
	h.touchpoints(list...)
	h.visit("jan", "anonymous:jan-phone")
	ctx := LongQueries(t.Context())
	p, err := Discover(ctx, h.conn, h.ns, "user:ida", "", math.MaxInt64)
	require.NoError(t, err)
	require.Len(t, p.Whole, many+1)
	_, err = CountForgotten(ctx, h.conn, h.ns, &p, 0)
	require.NoError(t, err)
	require.NoError(t, ErasePerson(ctx, h.conn, h.ns, &p))
	require.Equal(t, []string{"jan"}, h.column("SELECT user_id FROM "+h.ns+".touchpoints"))
}

// TestTheServerForgetsTheStatements: names are written out in them, so they may not stay
// in the server's own tables.
func TestTheServerForgetsTheStatements(t *testing.T) {
	h := newHouse(t)
	h.visit("idaX", "anonymous:idaX-phone")
	ctx := LongQueries(t.Context())
	p, err := Discover(ctx, h.conn, h.ns, "user:idaX", "", math.MaxInt64)
	require.NoError(t, err)
	require.NoError(t, ErasePerson(ctx, h.conn, h.ns, &p))
	require.Eventually(t, func() bool {
		n, err := count(t.Context(), h.conn, "SELECT count() FROM system.mutations WHERE startsWith(database, "+quoted(h.ns)+") AND position(command, 'idaX') > 0")
		return err == nil && n == 0
	}, 3*time.Minute, 200*time.Millisecond)
	require.NoError(t, h.conn.Exec(t.Context(), "SYSTEM FLUSH LOGS"))
	if n, err := count(t.Context(), h.conn, "SELECT count() FROM system.tables WHERE database = 'system' AND name = 'query_log'"); err == nil && n > 0 {
		n, err = count(t.Context(), h.conn, "SELECT count() FROM system.query_log WHERE has(databases, "+quoted(h.ns)+") AND position(query, 'user:idaX') > 0")
		require.NoError(t, err)
		require.Zero(t, n)
	}
}
