package shop
import ("testing";"time";"fmt")
func TestZZ(t *testing.T){
 for seed:=uint64(0);seed<12;seed++{
 w,_:=Generate(Options{Seed:seed,Customers:2000,End:time.Date(2026,11,23,0,0,0,0,time.UTC)})
 var s,o [2]int
 seen:=map[string]bool{}
 for _,x:=range w.Sends{ if seen[x.Event.MessageID]{continue}; seen[x.Event.MessageID]=true; h:=0; if !w.Fixed.After(x.Event.Timestamp.Time){h=1}; switch x.Event.Event{case "checkout_started":s[h]++;case "order_completed":o[h]++}}
 fmt.Println(seed,len(w.Sends),s,o,float64(o[0])/float64(s[0]),float64(o[1])/float64(s[1]))
 }}
