// Package replay makes what is derived anew from touchpoints.raw, from a time on and
// under a journey model, in a new epoch, while readers go on to see what there was.
//
// The control record of the namespace (stream.Epoch) says how far a replay is. Every
// step of it may be repeated, so that one that was stopped anywhere goes on when it
// is run again.
package replay

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/warehouse"
)

// Options say what is replayed.
type Options struct {
	Namespace string
	Model     *journey.Model
	From      From
	Topics    stream.TopicOptions // of the changelogs that are made anew
	Log       *zap.Logger
}

// Replay is one, as far as it is. Not safe for concurrent use.
type Replay struct {
	Epoch   stream.Epoch
	Resumed bool // it was begun before
	// GivesUp is the replay that was begun before and is not gone on with.
	GivesUp *stream.Epoch

	o    Options
	cl   *kgo.Client
	conn driver.Conn
}

// Plan finds out what is to be done, without doing it. An error says in one sentence
// what stands against it. The client and the connection stay the caller's.
func Plan(ctx context.Context, cl *kgo.Client, conn driver.Conn, o Options) (*Replay, error) {
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	r := &Replay{o: o, cl: cl, conn: conn}
	current, ok, err := stream.CurrentEpoch(ctx, cl, o.Namespace)
	if err != nil {
		return nil, err
	}
	if ok && current.State != stream.EpochComplete {
		if current.Model == o.Model.Name && (o.From.unsaid || o.From.String() == current.Asked) {
			r.Epoch, r.Resumed = current, true
			return r, r.nobody(ctx)
		}
		r.GivesUp = &current
	}
	if err := r.noMembers(ctx); err != nil {
		return nil, err
	}
	from, offsets, err := o.From.resolve(ctx, cl, o.Namespace)
	if err != nil {
		return nil, err
	}
	shown, err := warehouse.CompleteEpoch(ctx, conn, o.Namespace)
	if err != nil {
		return nil, err
	}
	inState, err := stream.StateEpoch(ctx, cl, o.Namespace)
	if err != nil {
		return nil, err
	}
	r.Epoch = stream.Epoch{
		Epoch: max(current.Epoch, shown, inState) + 1, State: stream.EpochPreparing, Model: o.Model.Name, Asked: o.From.String(), Reason: "replay",
		FromMillis: from, BeganMillis: time.Now().UnixMilli(), Offsets: offsets,
	}
	return r, nil
}

// nobody refuses sessionizers while the replay is still being prepared.
func (r *Replay) nobody(ctx context.Context) error {
	if r.Epoch.State != stream.EpochPreparing {
		return nil
	}
	return r.noMembers(ctx)
}

// RunningError says that sessionizers run that must not.
type RunningError struct{ Members []string }

func (e *RunningError) Error() string {
	return "sessionizers are running: " + strings.Join(e.Members, ", ") + "; stop them all, wait until Kafka misses them (15 s after a kill), and run the command again"
}

func (r *Replay) noMembers(ctx context.Context) error {
	members, err := stream.Members(ctx, r.cl, r.o.Namespace)
	if err == nil && len(members) > 0 {
		err = &RunningError{members}
	}
	return err
}

// Begin writes the control record and lets the steps begin anew. From then on
// sessionizers with another model do not start. Nothing is done of what is done
// already.
func (r *Replay) Begin(ctx context.Context) error {
	if r.Epoch.State != stream.EpochPreparing {
		return nil
	}
	if err := stream.WriteEpoch(ctx, r.cl, r.o.Namespace, &r.Epoch); err != nil {
		return err
	}
	// Who started before the record was there has joined by now, or obeys it.
	if err := r.noMembers(ctx); err != nil {
		return err
	}
	if err := warehouse.DropNext(ctx, r.conn, r.o.Namespace); err != nil {
		return err
	}
	if err := stream.ResetSteps(ctx, r.cl, r.o.Namespace, r.Epoch.Epoch, r.Epoch.Offsets, r.o.Topics); err != nil {
		return err
	}
	r.Epoch.State = stream.EpochRunning
	if err := stream.WriteEpoch(ctx, r.cl, r.o.Namespace, &r.Epoch); err != nil {
		return err
	}
	r.o.Log.Info("replay begun", zap.Uint32("epoch", r.Epoch.Epoch), zap.String("model", r.Epoch.Model))
	return nil
}

// Await waits until the steps and the sink have worked off what was there when it was
// called. tell is called about twice a second with how far they are.
func (r *Replay) Await(ctx context.Context, tell func(Progress)) error {
	if r.Epoch.State == stream.EpochPreparing {
		return errors.New("the replay has not begun")
	}
	return await(ctx, r.cl, r.o.Namespace, r.Epoch.Offsets, tell)
}

// Complete lets readers see the epoch and its model.
func (r *Replay) Complete(ctx context.Context) error {
	return Complete(ctx, r.cl, r.conn, r.o.Namespace, &r.Epoch, r.o.Model)
}

// Complete lets readers see an epoch, whose steps and sink have worked off what they
// had to, and the model it was made under. It may be repeated. The control record is
// written last: until then everything is done again.
func Complete(ctx context.Context, cl *kgo.Client, conn driver.Conn, namespace string, e *stream.Epoch, m *journey.Model) error {
	done := *e
	done.State, done.CompletedMillis, done.Offsets = stream.EpochComplete, time.Now().UnixMilli(), nil
	if err := warehouse.PutEpoch(ctx, conn, namespace, warehouse.Epoch{
		Epoch: e.Epoch, FromMillis: e.FromMillis, CompletedMillis: done.CompletedMillis,
	}); err != nil {
		return err
	}
	if err := warehouse.PutModel(ctx, conn, namespace, m); err != nil {
		return err
	}
	if err := stream.WriteEpoch(ctx, cl, namespace, &done); err != nil {
		return fmt.Errorf("readers see epoch %d, but it is not recorded: %w", e.Epoch, err)
	}
	*e = done
	return nil
}
