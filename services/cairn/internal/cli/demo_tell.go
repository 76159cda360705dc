package cli

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/cairnhq/cairn/pkg/app"
	"github.com/cairnhq/cairn/pkg/model"
	"github.com/cairnhq/cairn/pkg/warehouse"
	"github.com/cairnhq/cairn/services/cairn/internal/shop"
	"github.com/cairnhq/cairn/services/console/mapview"
)

// tableWidth is that of the demo's output.
const tableWidth = 100

// makeKeys gives each of the shop's systems a write key for this run.
func (d *demo) makeKeys() {
	d.writeKeys = map[string]string{}
	d.up.cfg.Collector.WriteKeys = nil
	for _, source := range shop.Sources() {
		key := rand.Text()
		d.writeKeys[source] = key
		d.up.cfg.Collector.WriteKeys = append(d.up.cfg.Collector.WriteKeys, app.WriteKey{Key: key, Source: source})
	}
}

// tell sends the week, waits until it has arrived, and prints what became of it.
func (d *demo) tell(ctx context.Context, b *banner) error {
	r := &demoResult{Seed: d.week.Seed, Customers: d.week.Customers}
	r.Seconds.Start = since(d.started)
	if err := d.sendWeek(ctx, b, r); err != nil {
		return err
	}
	conn, err := warehouse.Open(ctx, b.ClickHouse)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	arrived := time.Now()
	s, err := newSettler(ctx, conn, d, b)
	if err != nil {
		return err
	}
	defer s.monitor.Close()
	if err := s.wait(ctx, r); err != nil {
		return err
	}
	r.Seconds.Settle = since(arrived)
	d.progress.say("drawing the journey map")
	if err := r.read(ctx, conn, d.up.cfg.Namespace); err != nil {
		return err
	}
	d.progress.say("verifying")
	m, err := loadModel(d.up.cfg.Model)
	if err != nil {
		return err
	}
	if r.verify, err = warehouse.Verify(ctx, conn, d.up.cfg.Namespace, warehouse.VerifyOptions{Model: m, Condition: model.WhereSQL}); err != nil {
		return err
	}
	r.Verify = verifyResult{r.verify, r.verify.Differences()}
	d.progress.clear()
	return d.show(r)
}

// sendWeek makes the week up and posts it.
func (d *demo) sendWeek(ctx context.Context, b *banner, r *demoResult) error {
	week, err := shop.Generate(d.week)
	if err != nil {
		return err
	}
	r.From, r.Fixed, r.To = week.Start, week.Fixed, week.End
	total := mapview.FormatCount(uint64(len(week.Sends)))
	began := time.Now()
	receipt, err := week.Deliver(ctx, shop.Door{
		URL: b.Collector, WriteKeys: d.writeKeys,
		Progress: func(n int) { d.progress.say("sending: " + mapview.FormatCount(uint64(n)) + " of " + total + " events") },
	})
	if err != nil {
		return fmt.Errorf("send the week: %w", err)
	}
	r.Seconds.Send = since(began)
	r.EventsSent, r.Acknowledged = uint64(receipt.Sent), uint64(receipt.Acknowledged)
	r.Requests, r.Retries = receipt.Requests, receipt.Retries
	return nil
}

func (d *demo) show(r *demoResult) error {
	var err error
	if d.asJSON {
		err = printJSON(d.sh.Out, r)
	} else {
		var b strings.Builder
		if err = r.text(&b, d.keep); err == nil {
			_, err = fmt.Fprint(d.sh.Out, b.String())
		}
	}
	if err == nil && r.verify.Differences() > 0 {
		err = &app.ExitError{Code: app.ExitFailure} // the report has said it
	}
	return err
}

func since(t time.Time) float64 { return float64(time.Since(t).Milliseconds()) / 1000 }
