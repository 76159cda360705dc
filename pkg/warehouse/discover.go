package warehouse

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/wire"
)

// SharedError says that an identifier is no one person's.
type SharedError struct {
	Identifier string
	Users      []string
}

func (e *SharedError) Error() string {
	return fmt.Sprintf("%s was used by %d users: %s; name the one that is meant with --profile user:ID", e.Identifier, len(e.Users), strings.Join(e.Users, ", "))
}

// owner is an identifier's newest map.
type owner struct {
	from   []time.Time
	user   []string
	frozen bool
}

// Discover finds out what is stored of a person under an identifier or profile
// kind:value as it is stored, so emails and phones as their hashes. What nothing is
// stored of is a person with that identifier alone. The pseudonym is what stands for
// the person in maps that an erasure has gone through already; empty: none has.
func Discover(ctx context.Context, conn driver.Conn, namespace, name, pseudonym string, until int64) (Person, error) {
	p := Person{Until: until, Shared: map[string][][2]int64{}, pseudonym: pseudonym}
	kind, value := journey.SplitIdentifier(name)
	user := value
	if kind != journey.KindUser {
		o, err := owners(ctx, conn, namespace, in("identifier", []string{name}))
		if err != nil {
			return p, err
		}
		users := slices.DeleteFunc(slices.Clone(o[name].user), wire.IsPseudonym)
		slices.Sort(users)
		if users = slices.Compact(users); len(users) > 1 && !o[name].frozen {
			return p, &SharedError{name, users}
		}
		if len(users) == 0 || o[name].frozen {
			p.Whole, p.Bare = []string{name}, []string{value}
			return p, nil
		}
		user = users[0]
	}
	var err error
	if p.Users, err = joined(ctx, conn, namespace, user); err != nil {
		return p, err
	}
	return p, p.claim(ctx, conn, namespace, name)
}

// owners reads the newest maps of the identifiers for which a condition holds.
func owners(ctx context.Context, conn driver.Conn, namespace, where string) (map[string]owner, error) {
	rows, err := conn.Query(ctx, `SELECT identifier, argMax(map.from_at, revision), argMax(map.user_id, revision), argMax(frozen, revision)
		FROM (SELECT * FROM `+namespace+`.identities UNION ALL SELECT * FROM `+namespace+`_next.identities)
		WHERE identifier IN (SELECT identifier FROM (SELECT identifier, map FROM `+namespace+`.identities UNION ALL SELECT identifier, map FROM `+namespace+`_next.identities) WHERE `+where+`)
		GROUP BY identifier`)
	if err != nil {
		return nil, fmt.Errorf("read identities: %w", err)
	}
	defer func() { _ = rows.Close() }()
	list := map[string]owner{}
	for rows.Next() {
		var id string
		var o owner
		if err := rows.Scan(&id, &o.from, &o.user, &o.frozen); err != nil {
			return nil, fmt.Errorf("read identities: %w", err)
		}
		list[id] = o
	}
	return list, rows.Err()
}

// joined lists the users that aliases join with one, itself included.
func joined(ctx context.Context, conn driver.Conn, namespace, user string) ([]string, error) {
	own, err := owners(ctx, conn, namespace, in("identifier", []string{journey.UserProfile(user)}))
	if err != nil {
		return nil, err
	}
	name := user
	if o := own[journey.UserProfile(user)]; len(o.user) > 0 {
		name = o.user[0]
	}
	named, err := owners(ctx, conn, namespace, "startsWith(identifier, 'user:') AND has(map.user_id, "+quoted(name)+")")
	if err != nil {
		return nil, err
	}
	users := []string{user, name}
	for id, o := range named {
		if len(o.user) > 0 && o.user[0] == name {
			_, u := journey.SplitIdentifier(id)
			users = append(users, u)
		}
	}
	slices.Sort(users)
	return slices.Compact(users), nil
}

// claim finds the identifiers of the users, and tells those that are theirs alone
// from the shared ones.
func (p *Person) claim(ctx context.Context, conn driver.Conn, namespace, asked string) error {
	// In one go: an identifier may have one of the words in it.
	names, err := column(ctx, conn, strings.NewReplacer(
		"USERMAP", in("m.user_id", append(slices.Clone(p.Users), p.pseudonym)), "USERS", in("user_id", p.Users), "DB", namespace,
	).Replace(`SELECT DISTINCT id FROM (
		SELECT arrayJoin(arrayPushBack(other_identifiers, identifier)) AS id FROM DB.touchpoints WHERE USERS
		UNION ALL SELECT arrayJoin(arrayPushBack(other_identifiers, identifier)) FROM DB_next.touchpoints WHERE USERS
		UNION ALL SELECT arrayJoin(arrayPushBack(other_identifiers, identifier)) FROM DB.late WHERE USERS
		UNION ALL SELECT identifier FROM DB.identities WHERE arrayExists(m -> USERMAP, map)
		UNION ALL SELECT identifier FROM DB_next.identities WHERE arrayExists(m -> USERMAP, map))`))
	if err != nil {
		return err
	}
	names = append(names, asked)
	for _, u := range p.Users {
		names = append(names, journey.UserProfile(u))
	}
	slices.Sort(names)
	names = slices.Compact(names)
	maps, err := owners(ctx, conn, namespace, in("identifier", names))
	if err != nil {
		return err
	}
	for _, id := range names {
		o := maps[id]
		switch {
		case strings.HasPrefix(id, journey.KindUser+":"):
			if _, u := journey.SplitIdentifier(id); slices.Contains(p.Users, u) {
				p.Whole = append(p.Whole, id)
			}
		case o.frozen:
			p.Shared[id] = [][2]int64{}
		case slices.ContainsFunc(o.user, func(u string) bool { return !p.is(u) }):
			p.Shared[id] = p.ranges(o)
		default:
			p.Whole = append(p.Whole, id)
		}
	}
	p.Bare = bare(p.Whole)
	return nil
}

// is says whether a user of a map is the person.
func (p *Person) is(user string) bool {
	return slices.Contains(p.Users, user) || p.pseudonym != "" && user == p.pseudonym
}

// ranges are the times at which an identifier was one of the users'.
func (p *Person) ranges(o owner) [][2]int64 {
	out := [][2]int64{}
	for i, u := range o.user {
		if !p.is(u) {
			continue
		}
		r := [2]int64{o.from[i].UnixMilli(), math.MaxInt64}
		if i == 0 {
			r[0] = math.MinInt64
		}
		if i+1 < len(o.from) {
			r[1] = o.from[i+1].UnixMilli()
		}
		out = append(out, r)
	}
	return out
}

// column reads the first column of a query.
func column(ctx context.Context, conn driver.Conn, query string) ([]string, error) {
	var list []string
	err := eachText(ctx, conn, query, func(s string) { list = append(list, s) })
	return list, err
}

// eachText calls fn with the first column of each row of a query.
func eachText(ctx context.Context, conn driver.Conn, query string, fn func(string)) error {
	rows, err := conn.Query(ctx, query)
	if err != nil {
		return fmt.Errorf("look for a person: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return fmt.Errorf("look for a person: %w", err)
		}
		fn(s)
	}
	return rows.Err()
}

// LongQueries lets queries be as long as they get, and keeps them out of the server's
// system.query_log: identifiers are written out in them, and a person may have thousands.
func LongQueries(ctx context.Context) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		"max_query_size": 1 << 30, "max_ast_elements": 100_000_000, "max_expanded_ast_elements": 100_000_000, "log_queries": 0,
	}))
}

// StoredIdentifiers calls fn with every identifier kind:value that is stored anywhere.
func StoredIdentifiers(ctx context.Context, conn driver.Conn, namespace string, fn func(string)) error {
	var parts []string
	for _, db := range []string{namespace, NextNamespace(namespace)} {
		for table, expressions := range map[string][]string{
			"touchpoints": {"identifier", "concat('user:', user_id)", "concat('user:', previous_id)", "arrayJoin(other_identifiers)"},
			"late":        {"identifier", "concat('user:', user_id)", "arrayJoin(other_identifiers)"},
			"sessions":    {"identifier"}, "journeys": {"profile"}, "transitions": {"profile"}, "frictions": {"profile"},
			"identities": {"identifier", "concat('user:', arrayJoin(map.user_id))"},
		} {
			for _, e := range expressions {
				parts = append(parts, "SELECT DISTINCT "+e+" AS id FROM "+db+"."+table)
			}
		}
	}
	return eachText(ctx, conn, "SELECT DISTINCT id FROM ("+strings.Join(parts, " UNION ALL ")+")", fn)
}
