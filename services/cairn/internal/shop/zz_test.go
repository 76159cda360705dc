package shop

import (
	"fmt"
	"sort"
	"testing"
	"time"
)

func TestZZ(t *testing.T) {
	t0 := time.Now()
	w, _ := Generate(Options{Seed: 1, Customers: 2000, End: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)})
	fmt.Println(len(w.Sends), time.Since(t0))
	n := map[string]int{}
	var by int
	type k struct {
		d int
		e string
	}
	dd := map[k]int{}
	for _, s := range w.Sends {
		n[s.Event.Channel+" "+s.Event.Type+" "+s.Event.Event]++
		b, _ := s.Event.JSON()
		by += len(b)
		dd[k{int(s.Event.Timestamp.Sub(w.Start) / (12 * time.Hour)), s.Event.Event}]++
	}
	var ks []string
	for k := range n {
		ks = append(ks, k)
	}
	sort.Strings(ks)
	for _, k := range ks {
		fmt.Println(n[k], k)
	}
	fmt.Println("bytes", by)
	for i := 0; i < 14; i++ {
		fmt.Println(i, dd[k{i, "checkout_started"}], dd[k{i, "order_completed"}], dd[k{i, "store_purchase_completed"}])
	}
}
