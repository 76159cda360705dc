package local_test
import ("testing";"os";"time";"strings";"strconv")
func rss(pid int) string { b,_ := os.ReadFile("/proc/"+strconv.Itoa(pid)+"/status"); var o []string; for _, l := range strings.Split(string(b), "\n") { if strings.HasPrefix(l,"VmRSS")||strings.HasPrefix(l,"RssAnon")||strings.HasPrefix(l,"Threads") { o=append(o,strings.Join(strings.Fields(l)," ")) } }; return strings.Join(o,"; ") }
func cpu(pid int) string { b,_ := os.ReadFile("/proc/"+strconv.Itoa(pid)+"/stat"); f := strings.Fields(string(b)); return f[13]+"+"+f[14] }
func TestSpike(t *testing.T) {
	c := startClickHouse(t, t.TempDir())
	conn := connect(t, c.Addr())
	t.Log(rss(c.PID()))
	conn.Exec(t.Context(), "create table x (a UInt64, b String, c DateTime64(3)) engine=ReplacingMergeTree order by b")
	for i:=0;i<30;i++ { if err := conn.Exec(t.Context(), "insert into x select rand64(), hex(rand64()), now64() from numbers(100000)"); err!=nil {t.Fatal(err)} }
	t.Log(rss(c.PID()))
	var n, m uint64
	t0 := time.Now()
	if err := conn.QueryRow(t.Context(), "select count(), uniq(a) from x final").Scan(&n,&m); err!=nil {t.Fatal(err)}
	t.Log(n, time.Since(t0), rss(c.PID()))
	time.Sleep(15*time.Second)
	t.Log(rss(c.PID()), cpu(c.PID()))
	time.Sleep(20*time.Second)
	t.Log(rss(c.PID()), cpu(c.PID()))
}
