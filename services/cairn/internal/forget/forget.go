// Package forget erases a person from state, compacted topics and tables, and has
// their events held back from then on (docs/adr/0010-erasure.md).
//
// The record of the erasure (wire.Erasure, topic erasures) says how far it is. Every
// step may be repeated, so that an erasure that was stopped anywhere goes on when it
// is asked for again.
package forget

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/warehouse"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/services/cairn/internal/replay"
)

// Options say who is forgotten. The client and the connection stay the caller's.
type Options struct {
	Namespace string
	Secret    []byte
	Name      Name // identifier or profile
	Stop      bool // hold back what will happen, too
	Tell      func(string)
	Progress  func(replay.Progress) // while steps and sink are waited for
}

// Result is what was done.
type Result struct {
	ID          string            `json:"id"`
	Resumed     bool              `json:"resumed"`     // it was begun before
	Identifiers int               `json:"identifiers"` // that were found to be the person's
	Rows        map[string]uint64 `json:"rows"`        // erased, by table
	CompletedAt string            `json:"completed_at"`
	Topics      []Retention       `json:"topics"` // by when logs have forgotten them
}

type eraser struct {
	o    Options
	cl   *kgo.Client
	conn driver.Conn
	e    wire.Erasure
	p    warehouse.Person
	res  Result
}

// Run erases a person. It waits for the steps and the sink, which must run.
func Run(ctx context.Context, cl *kgo.Client, conn driver.Conn, o Options) (*Result, error) {
	if o.Tell == nil {
		o.Tell = func(string) {}
	}
	if o.Progress == nil {
		o.Progress = func(replay.Progress) {}
	}
	ctx = warehouse.LongQueries(ctx)
	r := &eraser{o: o, cl: cl, conn: conn}
	if err := warehouse.Erasable(ctx, conn, o.Namespace); err != nil {
		return nil, err
	}
	if err := r.begin(ctx); err != nil {
		return nil, err
	}
	if r.e.State == wire.ErasureHeld {
		if err := r.clear(ctx); err != nil {
			return nil, err
		}
	} else if err := r.recall(ctx); err != nil {
		return nil, err
	}
	if err := r.finish(ctx); err != nil {
		return nil, err
	}
	r.res.ID, r.res.Identifiers, r.res.Rows = r.e.ID, len(r.p.Names()), r.e.Rows
	r.res.CompletedAt = time.UnixMilli(r.e.CompletedMillis).UTC().Format(time.RFC3339)
	var err error
	r.res.Topics, err = retentions(ctx, cl, o.Namespace, r.e.CompletedMillis)
	return &r.res, err
}

func (r *eraser) hash(name string) string { return wire.HashIdentifier(r.o.Secret, name) }

// begin finds the erasure that was begun for the same name, or makes a new one.
func (r *eraser) begin(ctx context.Context) error {
	list, check, err := stream.ReadErasures(ctx, r.cl, r.o.Namespace)
	switch {
	case err != nil:
		return err
	case check == "":
		return fmt.Errorf("no sessionizer has run in the namespace %s yet that tells its identity.secret by a hash: start one, of this version of cairn, then run the command again", r.o.Namespace)
	case check != wire.SecretCheck(r.o.Secret):
		return fmt.Errorf("identity.secret is not the one that the sessionizers of the namespace %s have, so the person's events would not be held back: give the command the same one", r.o.Namespace)
	}
	asked := r.hash(r.o.Name.Stored)
	for _, e := range list {
		if e.State != wire.ErasureComplete && slices.Contains(e.Asked, asked) && (e.UntilMillis == wire.Forever || !r.o.Stop) {
			r.e, r.res.Resumed = e, true
			return nil
		}
	}
	id := make([]byte, 12)
	if _, err := rand.Read(id); err != nil {
		return err
	}
	now := time.Now().UnixMilli()
	r.e = wire.Erasure{ID: hex.EncodeToString(id), State: wire.ErasureHeld, RequestedMillis: now, UntilMillis: now + wire.ClockSlack, Asked: []string{asked}}
	if r.o.Stop {
		r.e.UntilMillis = wire.Forever
	}
	return nil
}

// clear has the steps forget the person, until nothing more of them is found.
func (r *eraser) clear(ctx context.Context) error {
	for {
		p, err := warehouse.Discover(ctx, r.conn, r.o.Namespace, r.o.Name.Stored, r.e.Pseudonym(), r.e.UntilMillis)
		if err != nil {
			return err
		}
		p.Know(r.o.Name.Plain)
		if reflect.DeepEqual(p, r.p) {
			break
		}
		r.p = p
		r.keep()
		if err := stream.WriteErasure(ctx, r.cl, r.o.Namespace, &r.e); err != nil {
			return err
		}
		r.o.Tell(fmt.Sprintf("%d identifiers; waiting for the device step to forget them", len(r.p.Names())))
		if err := r.tellDevices(ctx, wire.Forget{Names: r.p.Names()}); err != nil {
			return err
		}
	}
	r.o.Tell("waiting for the profile step to forget them")
	if err := r.tellHomes(ctx); err != nil {
		return err
	}
	if err := r.mixed(ctx); err != nil {
		return err
	}
	return r.cleared(ctx)
}

// keep adds what was found to the erasure's subjects. What was found before stays: it
// may be gone from the tables by now.
func (r *eraser) keep() {
	add := func(s wire.Subject) {
		i := slices.IndexFunc(r.e.Subjects, func(have wire.Subject) bool { return have.Hash == s.Hash })
		if i < 0 {
			r.e.Subjects = append(r.e.Subjects, s)
		} else {
			r.e.Subjects[i] = s
		}
	}
	for _, name := range r.p.Whole {
		add(wire.Subject{Hash: r.hash(name)})
	}
	for _, value := range r.p.Bare {
		add(wire.Subject{Hash: r.hash(wire.KeyOf(value))})
	}
	for _, name := range r.p.Names() {
		if ranges, shared := r.p.Shared[name]; shared {
			add(wire.Subject{Hash: r.hash(name), Shared: true, Ranges: ranges})
		}
	}
}

// tellDevices sends a record to every partition of the raw topic, and waits until all
// that follows from it is in the tables.
func (r *eraser) tellDevices(ctx context.Context, f wire.Forget) error {
	f.Erasure = r.e
	epoch, err := r.epoch(ctx)
	if err != nil {
		return err
	}
	topic := stream.Qualify(r.o.Namespace, stream.TopicRaw)
	details, err := kadm.NewClient(r.cl).ListTopics(ctx, topic)
	if err == nil {
		err = details[topic].Err
	}
	if err != nil {
		return fmt.Errorf("describe %s: %w", topic, err)
	}
	writer, err := kgo.NewClient(append(r.cl.Opts(), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(stream.MaxRecordBytes))...)
	if err != nil {
		return err
	}
	defer writer.Close()
	var records []*kgo.Record
	for p := range details[topic].Partitions {
		one := f
		if p != 0 {
			one.Counted = nil // booked once
		}
		value := wire.EncodeForget(&one)
		records = append(records, &kgo.Record{Topic: topic, Partition: p, Value: value, Headers: []kgo.RecordHeader{
			{Key: wire.HeaderType, Value: []byte(wire.TypeForget)},
			{Key: wire.HeaderMAC, Value: []byte(wire.ForgetMAC(r.o.Secret, value))},
			{Key: wire.HeaderEpoch, Value: fmt.Append(nil, epoch)},
		}})
	}
	if err := writer.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return fmt.Errorf("tell the device step: %w", err)
	}
	return replay.Settle(ctx, r.cl, r.o.Namespace, r.o.Progress)
}

// epoch is the rebuild that the steps run in.
func (r *eraser) epoch(ctx context.Context) (uint32, error) {
	c, ok, err := stream.CurrentEpoch(ctx, r.cl, r.o.Namespace)
	if err != nil || ok {
		return c.Epoch, err
	}
	return stream.StateEpoch(ctx, r.cl, r.o.Namespace)
}

// tellHomes has the person's homes erased. No touchpoint of theirs is on its way any
// more: the device step has passed its records, and all that followed.
func (r *eraser) tellHomes(ctx context.Context) error {
	var records []*kgo.Record
	for _, home := range r.p.Whole {
		records = append(records, &kgo.Record{
			Topic: stream.Qualify(r.o.Namespace, stream.TopicTouchpoints), Key: []byte(home),
			Value:   wire.EncodeForget(&wire.Forget{Erasure: wire.Erasure{ID: r.e.ID, UntilMillis: r.e.UntilMillis}}),
			Headers: []kgo.RecordHeader{{Key: wire.HeaderType, Value: []byte(wire.TypeForget)}},
		})
	}
	if err := r.cl.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return fmt.Errorf("tell the profile step: %w", err)
	}
	return replay.Settle(ctx, r.cl, r.o.Namespace, r.o.Progress)
}

// mixedRounds bounds how often sessions that go on are looked at again.
const mixedRounds = 20

// mixed has sessions that others took part in made anew from what is theirs.
func (r *eraser) mixed(ctx context.Context) error {
	var before []wire.ForgetSession
	for range mixedRounds {
		list, _, err := warehouse.MixedSessions(ctx, r.conn, r.o.Namespace, &r.p)
		if err != nil {
			return err
		}
		left := slices.ContainsFunc(list, func(s wire.ForgetSession) bool { return len(s.Keep) > 0 })
		if len(list) == 0 || !left && reflect.DeepEqual(list, before) {
			return nil
		}
		before = list
		r.o.Tell(fmt.Sprintf("waiting for %d sessions of shared identifiers to be made anew", len(list)))
		for part := range portions(list) {
			if err := r.tellDevices(ctx, wire.Forget{Sessions: part}); err != nil {
				return err
			}
		}
	}
	return errors.New("sessions of shared identifiers change faster than they are made anew: run the command again")
}

// portionBytes is how much of sessions goes into one record.
const portionBytes = stream.MaxRecordBytes / 4

// portions cuts a list of sessions such that each part fits into a record.
func portions(list []wire.ForgetSession) iter.Seq[[]wire.ForgetSession] {
	return func(yield func([]wire.ForgetSession) bool) {
		from, size := 0, 0
		for i := range list {
			n := 256
			for _, raw := range list[i].Keep {
				n += len(raw)*4/3 + 8 // base64
			}
			if i > from && size+n > portionBytes {
				if !yield(list[from:i]) {
					return
				}
				from, size = i, 0
			}
			size += n
		}
		if from < len(list) {
			yield(list[from:])
		}
	}
}

// cleared notes what is to be deleted, and what the keys of compacted topics are.
func (r *eraser) cleared(ctx context.Context) error {
	sessions, journeys, err := warehouse.KeysOf(ctx, r.conn, r.o.Namespace, &r.p)
	if err != nil {
		return err
	}
	var records []*kgo.Record
	for topic, keys := range map[string][]string{
		stream.TopicSessions: sessions, stream.TopicJourneys: journeys, stream.TopicIdentities: r.p.Whole,
	} {
		for _, key := range keys {
			records = append(records, &kgo.Record{Topic: stream.Qualify(r.o.Namespace, topic), Key: []byte(key)})
		}
	}
	if r.e.UntilMillis != wire.Forever { // who came back has a map again
		records = slices.DeleteFunc(records, func(rec *kgo.Record) bool {
			return rec.Topic == stream.Qualify(r.o.Namespace, stream.TopicIdentities)
		})
	}
	if err := r.cl.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return fmt.Errorf("write tombstones: %w", err)
	}
	if r.e.Rows, err = warehouse.CountPerson(ctx, r.conn, r.o.Namespace, &r.p); err != nil {
		return err
	}
	epoch, err := r.epoch(ctx)
	if err != nil {
		return err
	}
	if r.e.Counted, err = warehouse.CountForgotten(ctx, r.conn, r.o.Namespace, &r.p, epoch); err != nil {
		return err
	}
	r.e.State = wire.ErasureCleared
	return stream.WriteErasure(ctx, r.cl, r.o.Namespace, &r.e)
}

// recall finds the identifiers of an erasure that was stopped, those of which
// something is still stored, by their hashes.
func (r *eraser) recall(ctx context.Context) error {
	subjects := map[string]wire.Subject{}
	for _, s := range r.e.Subjects {
		subjects[s.Hash] = s
	}
	r.p = warehouse.Person{Until: r.e.UntilMillis, Shared: map[string][][2]int64{}}
	names := []string{r.o.Name.Stored}
	if err := warehouse.StoredIdentifiers(ctx, r.conn, r.o.Namespace, func(name string) {
		if _, found := subjects[r.hash(name)]; found {
			names = append(names, name)
		}
	}); err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		s, found := subjects[r.hash(name)]
		switch {
		case !found:
		case s.Shared:
			r.p.Shared[name] = s.Ranges
		default:
			r.p.Add(name)
		}
	}
	r.p.Know(r.o.Name.Plain)
	return nil
}

// finish books and deletes, and writes that it is complete.
func (r *eraser) finish(ctx context.Context) error {
	if len(r.e.Counted) > 0 {
		r.o.Tell("waiting for the accounts")
		if err := r.tellDevices(ctx, wire.Forget{Counted: r.e.Counted}); err != nil {
			return err
		}
	}
	r.o.Tell("deleting from the tables")
	if err := warehouse.ErasePerson(ctx, r.conn, r.o.Namespace, &r.p); err != nil {
		return err
	}
	r.e.State, r.e.CompletedMillis, r.e.Counted = wire.ErasureComplete, time.Now().UnixMilli(), nil
	if err := warehouse.PutErasure(ctx, r.conn, r.o.Namespace, &r.e); err != nil {
		return err
	}
	return stream.WriteErasure(ctx, r.cl, r.o.Namespace, &r.e)
}
