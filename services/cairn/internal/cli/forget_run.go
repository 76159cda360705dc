package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/warehouse"
	"github.com/cairnhq/cairn/services/cairn/internal/forget"
	"github.com/cairnhq/cairn/services/cairn/internal/replay"
)

// forgotten is the JSON of `cairn forget`: one line for each person.
type forgotten struct {
	Name    string          `json:"name"` // as it is stored
	Erasure *forget.Result  `json:"erasure,omitempty"`
	Preview *forget.Preview `json:"would_erase,omitempty"` // of --dry-run
	Error   string          `json:"error,omitempty"`       // nothing was erased
}

// previewForget says what would be erased.
func (sh *shell) previewForget(ctx context.Context, r *forgetRun) error {
	conn, err := warehouse.Open(ctx, r.cfg.ClickHouse.DSN)
	if err != nil {
		return clickhouseError(r.cfg, err)
	}
	defer func() { _ = conn.Close() }()
	return sh.each(r, func(name forget.Name) (forgotten, error) {
		p, err := forget.Look(ctx, conn, forget.Options{Namespace: r.cfg.Namespace, Name: name, Stop: r.stop})
		return forgotten{Preview: p}, err
	})
}

// forgetAll forgets one after the other.
func (sh *shell) forgetAll(ctx context.Context, r *forgetRun) error {
	cl, err := stream.NewClient(r.cfg.Kafka.Cluster, "forget", nil, nil, kgo.ProducerBatchMaxBytes(stream.MaxRecordBytes))
	if err != nil {
		return err
	}
	defer cl.Close()
	conn, err := warehouse.Open(ctx, r.cfg.ClickHouse.DSN)
	if err != nil {
		return clickhouseError(r.cfg, err)
	}
	defer func() { _ = conn.Close() }()
	if !r.yes {
		_, _ = fmt.Fprintf(sh.Err, "this erases what is stored of %d person(s) in the namespace %s for good; --dry-run shows what\n", len(r.names), r.cfg.Namespace)
		if err := sh.agree(ctx); err != nil {
			return err
		}
	}
	return sh.each(r, func(name forget.Name) (forgotten, error) {
		tell := &forgetTeller{sh: sh}
		res, err := forget.Run(ctx, cl, conn, forget.Options{
			Namespace: r.cfg.Namespace, Secret: []byte(r.cfg.Identity.Secret), Name: name, Stop: r.stop, Tell: tell.say, Progress: tell.progress,
		})
		return forgotten{Erasure: res}, err
	})
}

// each does something for every person and prints the outcome. A person who cannot
// be told from others is passed over, and makes the exit code 1.
func (sh *shell) each(r *forgetRun, do func(forget.Name) (forgotten, error)) error {
	left := 0
	for _, name := range r.names {
		f, err := do(name)
		f.Name = name.Stored
		switch s := shared(err); {
		case s != nil:
			f, left = forgotten{Name: name.Stored, Error: s.Error()}, left+1
		case err != nil:
			return kafkaError(r.cfg, err)
		}
		if r.js {
			err = printJSON(sh.Out, &f)
		} else {
			err = sh.printForgotten(&f)
		}
		if err != nil {
			return err
		}
	}
	if left > 0 {
		return fmt.Errorf("%d of %d were left out", left, len(r.names))
	}
	return nil
}

func (sh *shell) printForgotten(f *forgotten) error {
	if f.Error != "" {
		_, err := fmt.Fprintf(sh.Out, "%s: left out: %s\n", f.Name, f.Error)
		return err
	}
	rows := newTable("rows", "number")
	add := func(counts map[string]uint64) {
		for _, table := range slices.Sorted(maps.Keys(counts)) {
			rows.row(table, counts[table])
		}
	}
	if f.Preview != nil {
		if _, err := fmt.Fprintf(sh.Out, "%s would be forgotten\n\n", f.Name); err != nil {
			return err
		}
		ids := newTable("identifier", "used by others, too")
		for _, id := range f.Preview.Identifiers {
			ids.row(id, "no")
		}
		for _, id := range f.Preview.Shared {
			ids.row(id, "yes")
		}
		if err := ids.write(sh.Out); err != nil {
			return err
		}
		add(f.Preview.Rows)
		return rows.write(sh.Out)
	}
	if _, err := fmt.Fprintf(sh.Out, "%s is forgotten since %s: erasure %s, %d identifiers\n\n", f.Name, f.Erasure.CompletedAt, f.Erasure.ID, f.Erasure.Identifiers); err != nil {
		return err
	}
	if len(f.Erasure.Rows) == 0 && !f.Erasure.Resumed {
		if _, err := fmt.Fprint(sh.Out, "nothing was stored under that name: is it spelled as it was sent?\n\n"); err != nil {
			return err
		}
	}
	add(f.Erasure.Rows)
	if err := rows.write(sh.Out); err != nil {
		return err
	}
	topics := newTable("records of topic", "are gone by")
	for _, t := range f.Erasure.Topics {
		topics.row(t.Topic, t.By)
	}
	return topics.write(sh.Out)
}

// forgetTeller says how far an erasure is. Nothing it says is worth stopping for, so
// its writes may fail.
type forgetTeller struct {
	sh   *shell
	said string
}

func (t *forgetTeller) say(line string) {
	if line != t.said {
		t.said = line
		_, _ = fmt.Fprintln(t.sh.Err, line)
	}
}

// progress says so if nobody works.
func (t *forgetTeller) progress(p replay.Progress) {
	switch {
	case p.Members || p.Left == 0:
	case p.Group == stream.GroupSink:
		t.say("waiting for a sink: start `cairn sink`")
	default:
		t.say("waiting for a sessionizer: start `cairn sessionizer`")
	}
}
