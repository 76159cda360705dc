package warehouse

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Bounds of what a reader may ask for. The first may be set by each query up to the
// second, as Grafana does; the quota is per user and hour.
const (
	readerSeconds        = 60
	readerMaxSeconds     = 300
	readerMemoryBytes    = 4_000_000_000
	readerQueriesPerHour = 20_000
	readerSecondsPerHour = 7200
)

// Role is what a group of users may do, as GRANT says it.
type Role struct {
	Name   string
	Grants []string
}

// Roles are those of a namespace: NS_reader reads the views of NS_bi and nothing
// else; NS_writer is for sinks and consoles, reads and inserts; NS_admin migrates,
// replays, erases and makes backups. Users are the operator's to make: cairn makes
// none, and knows no password.
func Roles(namespace string) []Role {
	bi, api, next := namespace+"_bi", namespace+"_api", NextNamespace(namespace)
	admin := Role{Name: namespace + "_admin"}
	for _, db := range []string{namespace, next, bi, api, shardNamespace(namespace)} {
		admin.Grants = append(admin.Grants,
			"SHOW, SELECT, INSERT, ALTER, CREATE, DROP, TRUNCATE, OPTIMIZE, BACKUP, dictGet, SYSTEM VIEWS ON "+db+".*")
	}
	admin.Grants = append(admin.Grants, "SHOW ROLES ON *.*", "CREATE TEMPORARY TABLE ON *.*", "CLUSTER ON *.*", "SYSTEM RELOAD DICTIONARY ON *.*",
		"TABLE ENGINE ON *", "SELECT ON system.*", "SELECT ON information_schema.*")
	return []Role{
		{Name: namespace + "_reader", Grants: []string{
			"SELECT ON " + bi + ".*", "SELECT ON information_schema.*", "SELECT ON INFORMATION_SCHEMA.*",
		}},
		{Name: namespace + "_writer", Grants: []string{
			"SELECT, INSERT ON " + namespace + ".*", "SELECT, INSERT, ALTER DELETE ON " + next + ".*", "SELECT ON " + bi + ".*", "SELECT ON " + api + ".*",
			"SHOW ROLES ON *.*", "dictGet ON " + namespace + ".*",
		}},
		admin,
	}
}

// RoleStatements are what makes the roles of a namespace, with the readers' bounds.
// They may be repeated.
func RoleStatements(namespace string) []string {
	reader := namespace + "_reader"
	var list []string
	for _, r := range Roles(namespace) {
		list = append(list, "CREATE ROLE IF NOT EXISTS "+r.Name)
		for _, g := range r.Grants {
			list = append(list, "GRANT "+g+" TO "+r.Name)
		}
	}
	return append(list,
		fmt.Sprintf("CREATE SETTINGS PROFILE OR REPLACE %s SETTINGS readonly = 1, max_execution_time = %d MAX %d CHANGEABLE_IN_READONLY, max_memory_usage = %d TO %s",
			reader, readerSeconds, readerMaxSeconds, readerMemoryBytes, reader),
		fmt.Sprintf("CREATE QUOTA OR REPLACE %s KEYED BY user_name FOR INTERVAL 1 hour MAX queries = %d, execution_time = %d TO %s",
			reader, readerQueriesPerHour, readerSecondsPerHour, reader))
}

// RolesXML is the same for a server whose users stand in files: a file for users.d.
// Its users take a role by <grants><query>GRANT NS_reader</query></grants>, and readers
// the profile and the quota of that name.
func RolesXML(namespace string) string {
	reader := namespace + "_reader"
	var b strings.Builder
	fmt.Fprintf(&b, `<clickhouse>
  <profiles><%[1]s>
    <readonly>1</readonly>
    <max_execution_time>%[2]d</max_execution_time>
    <max_memory_usage>%[3]d</max_memory_usage>
    <constraints><max_execution_time><max>%[4]d</max><changeable_in_readonly/></max_execution_time></constraints>
  </%[1]s></profiles>
  <quotas><%[1]s><interval><duration>3600</duration><queries>%[5]d</queries><execution_time>%[6]d</execution_time></interval></%[1]s></quotas>
  <roles>
`, reader, readerSeconds, readerMemoryBytes, readerMaxSeconds, readerQueriesPerHour, readerSecondsPerHour)
	for _, r := range Roles(namespace) {
		fmt.Fprintf(&b, "    <%s><grants>\n", r.Name)
		for _, g := range r.Grants {
			b.WriteString("      <query>GRANT ")
			_ = xml.EscapeText(&b, []byte(g)) // a buffer does not fail
			b.WriteString("</query>\n")
		}
		fmt.Fprintf(&b, "    </grants></%s>\n", r.Name)
	}
	b.WriteString("  </roles>\n</clickhouse>\n")
	return b.String()
}

// PutRoles makes the roles of a namespace and lets readers use its views. The server
// must keep users made in SQL.
func PutRoles(ctx context.Context, conn driver.Conn, namespace string) error {
	if err := CheckNamespace(namespace); err != nil {
		return err
	}
	for _, s := range RoleStatements(namespace) {
		if err := conn.Exec(ctx, s); err != nil {
			return fmt.Errorf("make the roles: %w", err)
		}
	}
	return Migrate(ctx, conn, namespace)
}

// hasReaders says whether the server has the readers' role: then views are read with
// the rights of who made them. Who may not look has none.
func hasReaders(ctx context.Context, conn driver.Conn, namespace string) (bool, error) {
	n, err := count(ctx, conn, "SELECT count() FROM system.roles WHERE name = "+quoted(namespace+"_reader"))
	if AccessDenied(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for the roles: %w", err)
	}
	return n > 0, nil
}

// viewBody is where the text of a view's definition begins.
var viewBody = regexp.MustCompile(`(?m)(^AS\b|\sAS[ \t]*$)`)

// forReaders makes the views of NS_bi such that who reads them needs no rights on
// tables.
func forReaders(namespace string, views []script) []script {
	out := make([]script, len(views))
	for i, v := range views {
		out[i] = script{file: v.file}
		for _, st := range v.statements {
			if strings.HasPrefix(st.text, "CREATE OR REPLACE VIEW "+namespace+"_bi.") {
				if at := viewBody.FindStringIndex(st.text); at != nil {
					as := at[0] + strings.LastIndex(st.text[at[0]:at[1]], "AS")
					st.text = st.text[:as] + "DEFINER = CURRENT_USER SQL SECURITY DEFINER\n" + st.text[as:]
				}
			}
			out[i].statements = append(out[i].statements, st)
		}
	}
	return out
}

const codeAccessDenied = 497

// AccessDenied says whether ClickHouse has refused something for want of a grant.
func AccessDenied(err error) bool {
	e, ok := errors.AsType[*clickhouse.Exception](err)
	return ok && e.Code == codeAccessDenied
}
