package forget_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/services/cairn/internal/forget"
	"github.com/cairnhq/cairn/services/cairn/internal/replay"
	"github.com/cairnhq/cairn/services/sessionizer"
)

// family is a person with a phone and a computer, a former user id, a loyalty card at
// a till, and a tablet shared with jan; karl has nothing to do with them. Whatever is
// hers alone has idaX in it.
func (h *house) family() {
	a := func(device, message, event string, minutes float64, more ...any) {
		f := map[string]any{"anonymousId": device, "messageId": message, "event": event}
		for i := 0; i+1 < len(more); i += 2 {
			f[more[i].(string)] = more[i+1]
		}
		h.send(h.event(device, minutes, f))
	}
	card := []map[string]string{{"type": "loyalty", "id": "idaX-4711"}}
	a("idaX-phone", "m1", "product_viewed", 0)
	a("idaX-phone", "m2", "identify", 5, "type", "identify", "userId", "idaX", "externalIds", card)
	a("idaX-phone", "m3", "checkout_started", 8)
	a("idaX-phone", "m3", "checkout_started", 9) // a copy
	a("idaX-pc", "m4", "product_viewed", 60, "userId", "idaX-old")
	a("idaX-pc", "m5", "order_completed", 70, "userId", "idaX-old", "properties", map[string]any{"revenue": 20})
	h.send(h.event("idaX", 80, map[string]any{"type": "alias", "userId": "idaX", "previousId": "idaX-old", "messageId": "m6"}))
	h.send(h.event("idaX-4711", 90, map[string]any{"externalIds": card, "messageId": "m7", "event": "store_purchase_completed", "source": "till"}))
	// The tablet: before anybody, ida, jan in the same session, ida again.
	a("tablet", "t1", "product_viewed", 200)
	a("tablet", "t2", "identify", 205, "type", "identify", "userId", "idaX")
	a("tablet", "t3", "cart_viewed", 210)
	a("tablet", "t4", "identify", 215, "type", "identify", "userId", "jan")
	a("tablet", "t5", "product_viewed", 220)
	a("tablet", "t6", "order_completed", 225, "userId", "jan", "properties", map[string]any{"revenue": 7})
	a("tablet", "t7", "identify", 400, "type", "identify", "userId", "idaX")
	a("tablet", "t8", "product_viewed", 405)
	a("tablet", "t9", "identify", 500, "type", "identify", "userId", "jan")
	a("tablet", "t10", "cart_viewed", 505)
	// Rejected, and too late.
	h.send(h.event("idaX-phone", 10, map[string]any{"anonymousId": "idaX-phone", "type": "dance"}))

	late := h.event("idaX-phone", 12, map[string]any{"anonymousId": "idaX-phone", "event": "x", "messageId": "l1", "timestamp": "2020-01-02T03:04:05Z"})
	h.send(late)
	a("karls", "k1", "product_viewed", 3, "userId", "karl")
	a("karls", "k2", "order_completed", 4, "userId", "karl", "properties", map[string]any{"revenue": 5})
	a("stranger", "s1", "product_viewed", 3)
	h.settle()
}

// others are all rows that are not the person's. Sessions are closed by the clock
// meanwhile.
func (h *house) others() []string {
	return h.strings(`SELECT x FROM (
		SELECT toString(tuple(* EXCEPT inserted_at)) AS x FROM DB.touchpoints FINAL WHERE user_id IN ('jan', 'karl') OR identifier IN ('anonymous:karls', 'anonymous:stranger') OR message_id IN ('t5', 't10')
		UNION ALL SELECT toString(tuple(* EXCEPT (inserted_at, status, revision))) FROM DB.sessions FINAL WHERE identifier IN ('anonymous:karls', 'anonymous:stranger')
		UNION ALL SELECT toString(tuple(* EXCEPT inserted_at)) FROM DB.journeys FINAL WHERE profile IN ('user:jan', 'user:karl', 'anonymous:stranger')
		UNION ALL SELECT toString(tuple(* EXCEPT inserted_at)) FROM DB.transitions FINAL WHERE profile IN ('user:jan', 'user:karl', 'anonymous:stranger')
		UNION ALL SELECT toString(tuple(* EXCEPT inserted_at)) FROM DB.frictions FINAL WHERE profile IN ('user:jan', 'user:karl', 'anonymous:stranger')
		UNION ALL SELECT toString(tuple(* EXCEPT inserted_at)) FROM DB.identities FINAL WHERE identifier IN ('anonymous:karls', 'anonymous:stranger', 'user:jan', 'user:karl')
	) ORDER BY x`)
}

// gone checks that nothing of the person is left, and that what is left adds up.
func (h *house) gone() {
	h.t.Helper()
	require.Empty(h.t, h.traces("idaX"))
	require.Empty(h.t, h.strings("SELECT message_id FROM "+h.ns+".touchpoints WHERE match(message_id, '^m') OR message_id IN ('t1', 't2', 't3', 't7', 't8')"))
	require.Empty(h.t, h.strings("SELECT touchpoint_id FROM "+h.ns+".transitions WHERE touchpoint_id IN ('t1', 't2', 't3', 't7', 't8')"))
	require.Empty(h.t, h.strings("SELECT origin FROM "+h.ns+".late"))
	require.Empty(h.t, h.strings("SELECT origin FROM "+h.ns+".rejected"))
	h.verify()
}

func (h *house) replay() {
	h.t.Helper()
	require.NoError(h.t, h.stop())
	r, err := replay.Plan(h.t.Context(), h.cl, h.conn, replay.Options{
		Namespace: h.ns, Model: h.model, From: replay.Earliest(true), Topics: stream.TopicOptions{Partitions: 3, Replication: 1, Embedded: true},
	})
	require.NoError(h.t, err)
	require.NoError(h.t, r.Begin(h.t.Context()))
	h.stop = h.sessionizer()
	ctx, cancel := context.WithTimeout(h.t.Context(), time.Minute)
	defer cancel()
	require.NoError(h.t, r.Await(ctx, func(replay.Progress) {}))
	require.NoError(h.t, r.Complete(ctx))
}

func TestAPersonIsForgottenEverywhere(t *testing.T) {
	h := newHouse(t)
	h.family()
	h.verify()
	require.NotEmpty(t, h.traces("idaX"), "else the test looks nowhere")
	before := h.others()
	accepted := h.strings("SELECT toString(sum(accepted)) FROM " + h.ns + "_bi.v_data_quality")

	res := h.forget("user:idaX", false)
	require.False(t, res.Resumed)
	require.Equal(t, uint64(1), res.Rows["late"])
	require.Equal(t, uint64(1), res.Rows["rejected"])
	h.gone()
	require.Equal(t, before, h.others(), "others' rows are as they were")
	require.Equal(t, []string{"tablet 3 7", "tablet 2 0"}, h.strings("SELECT concat(substr(identifier, 11), ' ', toString(touchpoints), ' ', toString(toInt64(revenue))) FROM "+
		h.ns+"_bi.v_sessions WHERE identifier = 'anonymous:tablet' ORDER BY started_at"), "sessions of the shared tablet are jan's part")
	require.Equal(t, accepted, h.strings("SELECT toString(sum(accepted)) FROM "+h.ns+"_bi.v_data_quality"))
	require.Equal(t, []string{"14 1"}, h.strings("SELECT concat(toString(sum(erased)), ' ', toString(sum(duplicates))) FROM "+h.ns+"_bi.v_data_quality"))
	require.Equal(t, []string{"1"}, h.strings("SELECT toString(count()) FROM "+h.ns+".erasures WHERE completed_at >= requested_at"))

	// What was on its way, and an old file, do not bring her back.
	h.send(h.event("idaX-phone", 30, map[string]any{"anonymousId": "idaX-phone", "event": "x", "messageId": "m20"}),
		h.event("tablet", 206, map[string]any{"anonymousId": "tablet", "event": "x", "messageId": "t3b"}),
		h.event("idaX-new", 31, map[string]any{"anonymousId": "idaX-new", "userId": "idaX", "event": "x", "messageId": "m21"}))
	h.settle()
	require.Empty(t, h.strings("SELECT message_id FROM "+h.ns+".touchpoints WHERE message_id IN ('m20', 'm21', 't3b')"))
	h.verify()

	// Nor does a rebuild.
	h.replay()
	require.Empty(t, h.traces("idaX"))
	h.verify()
	again := "SELECT concat(toString(touchpoints), ' ', toString(revenue)) FROM " + h.ns + "_bi.v_journeys WHERE profile = 'user:jan'"
	require.Equal(t, []string{"5 7"}, h.strings(again))

	// Twice, and somebody nobody knows.
	require.Empty(t, h.forget("user:idaX", false).Rows)
	require.Empty(t, h.forget("user:nobody", false).Rows)
	h.verify()
}

// Who comes back is counted again, unless new events are stopped.
func TestStopHoldsNewEventsBack(t *testing.T) {
	for _, stop := range []bool{false, true} {
		t.Run(strconv.FormatBool(stop), func(t *testing.T) {
			h := newHouse(t)
			h.family()
			h.forget("anonymous:idaX-phone", stop) // by any of her identifiers
			h.gone()
			soon := 48*60 + 90.0 // after now
			at := time.Now().Add(30 * time.Minute)
			back := h.event("idaX-phone", soon, map[string]any{
				"anonymousId": "idaX-phone", "userId": "idaX", "event": "product_viewed", "messageId": "b1",
				"timestamp": at.Format(time.RFC3339Nano), "receivedAt": at.Format(time.RFC3339Nano),
			})
			h.send(back)
			h.settle()
			want := []string{"b1"}
			if stop {
				want = []string{}
			}
			require.Equal(t, want, h.strings("SELECT message_id FROM "+h.ns+".touchpoints WHERE user_id = 'idaX'"))
			h.verify()
		})
	}
}

// With another secret than the sessionizers' nothing would be held back, and nobody
// would notice.
func TestAnotherSecretIsRefused(t *testing.T) {
	h := newHouse(t)
	h.send(h.event("idaX-phone", 0, map[string]any{"anonymousId": "idaX-phone", "event": "x", "messageId": "m1"}))
	h.settle()
	_, err := forget.Run(t.Context(), h.cl, h.conn, forget.Options{Namespace: h.ns, Secret: []byte("another"), Name: forget.Name{Stored: "anonymous:idaX-phone"}})
	require.ErrorContains(t, err, "identity.secret is not the one that the sessionizers of the namespace "+h.ns+" have")
	list, check, err := stream.ReadErasures(t.Context(), h.cl, h.ns)
	require.NoError(t, err)
	require.Empty(t, list)
	require.Equal(t, wire.SecretCheck([]byte(secret)), check)
	require.Equal(t, []string{"m1"}, h.strings("SELECT message_id FROM "+h.ns+".touchpoints"))
	// A sessionizer with another one does not start, either, and the first goes on.
	s, err := sessionizer.New(t.Context(), sessionizer.Options{Namespace: h.ns, Cluster: h.cluster, Model: h.model, InstanceID: "other", Secret: []byte("another"), MaxRestarts: 5})
	require.NoError(t, err)
	var refused *sessionizer.SecretError
	require.ErrorAs(t, s.Run(t.Context()), &refused)
	require.NotEmpty(t, h.forget("anonymous:idaX-phone", false).Rows)
}

// A command that is stopped at any moment goes on when it is run again.
func TestStoppedAnywhereItGoesOn(t *testing.T) {
	h := newHouse(t)
	h.family()
	before := h.others()
	rng := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	stopped := 0
	for range 12 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(50+rng.IntN(3000))*time.Millisecond)
		_, err := forget.Run(ctx, h.cl, h.conn, forget.Options{Namespace: h.ns, Secret: []byte(secret), Name: forget.Name{Stored: "user:idaX"}})
		cancel()
		if err == nil {
			break
		}
		require.True(t, errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || ctx.Err() != nil, "%v", err)
		stopped++
	}
	t.Logf("stopped %d times", stopped)
	h.forget("user:idaX", false)
	h.gone()
	require.Equal(t, before, h.others())
	require.Equal(t, []string{"14"}, h.strings("SELECT toString(sum(erased)) FROM "+h.ns+"_bi.v_data_quality"))
}
