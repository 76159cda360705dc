package sessionizer

import (
	"context"
	"fmt"

	"github.com/cairnhq/cairn/pkg/stream"
)

// ModelError says that a partition's state was made under another journey model.
// Its sessions and points were cut and matched by that one's rules, so going on
// would mix the two.
type ModelError struct{ Have, Want string }

func (e *ModelError) Error() string {
	return fmt.Sprintf("what is derived was made under the journey model %s and this is %s: start with that model again, "+
		"or rebuild under this one with `cairn replay --model FILE --from TIME`", e.Have, e.Want)
}

// EpochError says that the steps may not run, or not on the state that is there,
// because of a replay.
type EpochError struct{ Reason string }

func (e *EpochError) Error() string { return e.Reason }

// obey makes the options follow the namespace's control record, so that instances
// that were started again, or never told, run in the epoch of a replay.
func (o *Options) obey(c *stream.Epoch) error {
	if c.State == stream.EpochPreparing {
		return &EpochError{fmt.Sprintf("a replay (epoch %d) is being prepared: run `cairn replay` again to go on with it, then start the sessionizers", c.Epoch)}
	}
	if c.Model != "" && c.Model != o.Model.Name {
		return &ModelError{Have: c.Model, Want: o.Model.Name}
	}
	o.Epoch, o.floor, o.from = c.Epoch, c.Epoch, c.FromMillis
	return nil
}

// holdEpoch refuses state that was made in another epoch than the one that the step
// was started for: an earlier one, mixed with what a replay began, would give
// neither; a later one means that a replay began while this instance was suspended.
func (s *Sessionizer) holdEpoch(ctx context.Context, state *stream.State, o *Options) error {
	switch {
	case state.Epoch() == o.Epoch:
		return nil
	case state.Epoch() < o.floor:
		return &EpochError{fmt.Sprintf("the state is of epoch %d and the namespace is in epoch %d: the changelog was restored from before the replay; "+
			"run `cairn replay` again", state.Epoch(), o.floor)}
	}
	now, _, err := s.prepare(ctx)
	if err == nil && now.floor != o.floor {
		err = &EpochError{fmt.Sprintf("a replay has begun epoch %d while this instance ran in epoch %d: start it again", now.floor, o.floor)}
	}
	return err
}

// tableModel is the key of the row that names the model of the state.
const tableModel = 'v'

// holdModel compares the state's model with the one in use. The row is written
// with the first flush.
func holdModel(state *stream.State, name string) (known bool, err error) {
	have, err := state.Get([]byte{tableModel})
	if err != nil || have == nil {
		return false, err
	}
	if string(have) != name {
		return false, &ModelError{Have: string(have), Want: name}
	}
	return true, nil
}
