package warehouse

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/local"
	"github.com/cairnhq/cairn/pkg/testbed"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
	schemas "github.com/cairnhq/cairn/schemas/clickhouse"
)

const pair = "pair"

// startPair starts two ClickHouse servers that know each other as the two shards of
// a cluster.
func startPair(t *testing.T) [2]*local.ClickHouse {
	t.Helper()
	var ports [4]int
	for i := range ports {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer func() { _ = l.Close() }()
		ports[i] = l.Addr().(*net.TCPAddr).Port
		require.NoError(t, l.Close())
	}
	shard := func(port int) string {
		return fmt.Sprintf("<shard><replica><host>127.0.0.1</host><port>%d</port></replica></shard>", port)
	}
	// What docs/operations.md asks of a cluster: its definition, and a profile under
	// which a Distributed table may be joined with another, and a shard reads the times
	// of before 1970 and after 2106 that another writes into its part of a query.
	files := map[string]string{
		"config.d/cluster.xml": "<clickhouse><remote_servers><" + pair + ">" + shard(ports[0]) + shard(ports[2]) + "</" + pair + "></remote_servers></clickhouse>",
		"users.d/cluster.xml": "<clickhouse><profiles><default><distributed_product_mode>global</distributed_product_mode>" +
			"<cast_string_to_date_time_mode>basic</cast_string_to_date_time_mode></default></profiles>" +
			"<users><default><grants replace=\"1\"><query>GRANT ALL ON *.* WITH GRANT OPTION</query></grants></default></users></clickhouse>",
	}
	var servers [2]*local.ClickHouse
	for i := range servers {
		dir := t.TempDir()
		for name, text := range files {
			path := filepath.Join(dir, name)
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
			require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		}
		c, err := local.StartClickHouse(t.Context(), local.ClickHouseOptions{Dir: dir, Port: ports[2*i], HTTPPort: ports[2*i+1], Direct: true})
		if err != nil {
			testbed.Require(t, "the engine does not start: "+err.Error())
		}
		t.Cleanup(func() { require.NoError(t, c.Stop()) })
		servers[i] = c
	}
	return servers
}

// Behind a relay, say, a host does not find its own address in the cluster.
func TestAHostThatDoesNotKnowItself(t *testing.T) {
	port, err := local.FreePort()
	require.NoError(t, err)
	dir := t.TempDir()
	path := filepath.Join(dir, "config.d", "cluster.xml")
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, "<clickhouse><remote_servers><lone><shard><replica><host>127.0.0.1</host><port>%d</port></replica></shard></lone></remote_servers></clickhouse>", port), 0o600))
	c, err := local.StartClickHouse(t.Context(), local.ClickHouseOptions{Dir: dir, Port: port})
	if err != nil {
		testbed.Require(t, "the engine does not start: "+err.Error())
	}
	t.Cleanup(func() { require.NoError(t, c.Stop()) })
	require.ErrorContains(t, MigrateCluster(t.Context(), c.DSN("default"), "spread", "lone"), "it does not know itself in the cluster")
}

// A namespace on two shards: each holds a part of the rows, either answers for all,
// and all revisions of a row meet.
func TestCluster(t *testing.T) {
	servers := startPair(t)
	const ns = "spread"
	var hosts [2]*house
	for i, s := range servers {
		conn, err := Open(t.Context(), s.DSN("default"))
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		hosts[i] = &house{t, conn, ns}
	}
	dsn := servers[0].DSN("default")
	plans, err := PlanCluster(t.Context(), dsn, ns, pair)
	require.NoError(t, err)
	require.Len(t, plans, 2)
	require.Empty(t, hosts[0].tables())
	require.ErrorContains(t, MigrateCluster(t.Context(), dsn, ns, "nowhere"), "nowhere")

	require.NoError(t, MigrateCluster(t.Context(), dsn, ns, pair))
	require.Equal(t, hosts[0].schema(), hosts[1].schema())
	require.NoError(t, PutModel(t.Context(), hosts[0].conn, ns, clusterModel()))
	const people = 200
	for i, h := range hosts { // the second writes the second revision
		h.person(0, people, uint64(i+1))
	}
	for _, h := range hosts {
		for _, table := range []string{"touchpoints", "sessions", "journeys", "transitions"} {
			own := h.column("SELECT toString(count()) FROM " + ns + "_shard." + table)[0]
			require.NotContains(t, []string{"0", strconv.Itoa(2 * people)}, own, "%s are on both shards", table)
		}
		for _, view := range []string{"v_touchpoints", "v_sessions", "v_journeys", "v_transitions"} {
			require.Equal(t, []string{strconv.Itoa(people)}, h.bi("toString(count())", view), view)
		}
		require.Equal(t, []string{strconv.Itoa(people)}, h.bi("toString(countIf(session_id != '' AND journey_id != '' AND stage = 'awareness'))", "v_touchpoints"), "joins find rows of the other shard")
		require.Equal(t, []string{strconv.Itoa(people)}, h.bi("toString(sum(touchpoints))", "v_journey_map"))
		require.Equal(t, []string{strconv.Itoa(people)}, h.bi("toString(profiles)", "v_stage_funnel"))
		for _, view := range h.column("SELECT name FROM system.tables WHERE database = '" + ns + "_bi'") {
			h.exec("SELECT * FROM " + ns + "_bi." + view + " FORMAT Null")
		}
	}

	hosts[0].refusesOnShards(hosts[1])

	require.NoError(t, MigrateCluster(t.Context(), dsn, ns, pair), "again")
	schema := hosts[0].schema()
	hosts[0].exec("TRUNCATE TABLE " + ns + ".schema_migrations") // as if the command had died before it noted anything
	require.NoError(t, MigrateCluster(t.Context(), dsn, ns, pair))
	require.Equal(t, schema, hosts[0].schema())
	plan, err := PlanMigrate(t.Context(), hosts[1].conn, ns)
	require.NoError(t, err)
	require.NotEmpty(t, plan.Applied)
	require.Empty(t, plan.Views, "it is not for a single host to change them")
	require.NoError(t, Migrate(t.Context(), hosts[1].conn, ns), "what a sink does at its start")
	err = migrate(t.Context(), hosts[1].conn, ns, moreMigrations(t), fstest.MapFS{})
	require.ErrorIs(t, err, ErrCluster)
	require.ErrorContains(t, err, "cairn migrate --cluster pair")
	require.ErrorIs(t, DropNext(t.Context(), hosts[0].conn, ns), ErrCluster, "a rebuild says before it begins that it cannot end")
	require.ErrorIs(t, Erasable(t.Context(), hosts[0].conn, ns), ErrCluster, "and so does an erasure")
}

// refusesOnShards inserts by way of this host a row that the shards refuse, and one that
// they cannot take as another's table was altered: the first is the row's fault, the
// second is not.
func (h *house) refusesOnShards(other *house) {
	h.t.Helper()
	both := func(what string) {
		for _, at := range []*house{h, other} {
			at.exec("ALTER TABLE " + h.ns + "_shard.touchpoints " + what)
		}
	}
	b := NewTouchpointBatch()
	require.NoError(h.t, b.Add(touch("poison", "anonymous:a", minute(0))))
	both("ADD CONSTRAINT poison CHECK message_id != 'poison'")
	err := b.Insert(h.t.Context(), h.conn, h.ns, 0, 1)
	require.Error(h.t, err)
	require.True(h.t, IsDataError(err), "%v", err)
	both("DROP CONSTRAINT poison, RENAME COLUMN locale TO language")
	err = b.Insert(h.t.Context(), h.conn, h.ns, 0, 1)
	require.ErrorContains(h.t, err, "locale")
	require.False(h.t, IsDataError(err), "%v", err)
	both("RENAME COLUMN language TO locale")
	require.NoError(h.t, b.Insert(h.t.Context(), h.conn, h.ns, 0, 1))
}

func clusterModel() *journey.Model {
	return &journey.Model{Name: "shop", SessionGap: 1000, JourneyGap: 1000, Stages: []journey.Stage{{Name: "awareness"}}}
}

// moreMigrations are those of today and one more.
func moreMigrations(t *testing.T) fstest.MapFS {
	t.Helper()
	files := until(t, "9998")
	files["migrations/9999_more.sql"] = &fstest.MapFile{Data: []byte("ALTER TABLE {{.DB}}.touchpoints ADD COLUMN more UInt8;\n")}
	return files
}

// person inserts a revision of everything about some people.
func (h *house) person(from, to int, revision uint64) {
	h.t.Helper()
	tp, se, jo, tr := NewTouchpointBatch(), NewSessionBatch(), NewJourneyBatch(), NewTransitionBatch()
	for n := from; n < to; n++ {
		id := strconv.Itoa(n)
		who := "user:" + id
		p := touch("m"+id, who, minute(0))
		p.UserId, p.SessionId, p.Revision = id, "s"+id, revision
		require.NoError(h.t, tp.Add(p))
		require.NoError(h.t, se.Add(&wirepb.Session{
			SessionId: "s" + id, Identifier: who, Status: "closed", StartedMs: minute(0), EndedMs: minute(0), MintedMs: minute(0), Touchpoints: 1, Revision: revision,
		}))
		require.NoError(h.t, jo.Add(&wirepb.Journey{
			JourneyId: "j" + id, Profile: who, Status: "open", StartedMs: minute(0), EndedMs: minute(0), MintedMs: minute(0), Touchpoints: 1, Transitions: 1,
			Stage: "awareness", Model: "shop", Revision: revision,
		}))
		require.NoError(h.t, tr.Add(&wire.Transition{
			JourneyID: "j" + id, Profile: who, Seq: 1, To: "awareness", AtMillis: minute(0), TouchpointID: "m" + id, Identifier: who, SessionID: "s" + id,
			EmittedMillis: minute(0), Direction: "advance", Model: "shop", Revision: revision,
		}))
	}
	for _, b := range []Batch{tp, se, jo, tr} {
		h.insert(b)
	}
}

// There is no Keeper here, so the DDL of replicated tables is looked at only.
func TestReplicatedDDL(t *testing.T) {
	rw, err := newRewriter("ns", "c", true)
	require.NoError(t, err)
	list, err := readMigrations(schemas.Migrations)
	require.NoError(t, err)
	form := regexp.MustCompile(`CREATE TABLE IF NOT EXISTS ns_shard\.(\w+)[\s\S]*ENGINE = ReplicatedReplacingMergeTree\('(/clickhouse/tables/\{shard\}/ns/(\w+))', '\{replica\}', \w+\)[\s\S]*ORDER BY`)
	paths := map[string]bool{}
	for _, f := range list {
		s, err := (&migrator{namespace: "ns", rewrite: rw}).render(f)
		require.NoError(t, err)
		for _, st := range s.statements {
			if !strings.HasPrefix(st.text, "CREATE TABLE") {
				require.NotContains(t, st.text, "ns_shard_")
				continue
			}
			if strings.Contains(st.text, "ENGINE = Distributed") {
				require.Regexp(t, `^CREATE TABLE IF NOT EXISTS ns(_next)?\.(\w+) AS ns_shard\.\w+ ENGINE = Distributed\('c', 'ns_shard', '\w+', cityHash64\(\w+\)\)`, st.text)
				continue
			}
			if !strings.Contains(st.text, "ReplacingMergeTree") {
				continue // made on each host, from what all hosts have
			}
			m := form.FindStringSubmatch(st.text)
			require.NotNil(t, m, st.text)
			require.Equal(t, m[1], m[3])
			require.False(t, paths[m[2]], "%s twice", m[2])
			paths[m[2]] = true
		}
	}
	for _, table := range nextTables() {
		require.True(t, paths["/clickhouse/tables/{shard}/ns/"+string(table)], table)
		require.True(t, paths["/clickhouse/tables/{shard}/ns/"+string(table)+"_next"], table)
	}
}
