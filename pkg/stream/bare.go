package stream

import "github.com/cairnhq/cairn/pkg/wire/wirepb"

// NewState is the state of a partition that no step runs: for measuring a task by
// itself. Arrive and Fold stand for what a step does between the task's calls.
func NewState(store Store) *State { return newState(store, &wirepb.PartitionMeta{}) }

// Arrive notes the arrival of a record, Unix ms, of a state that no step runs.
func (s *State) Arrive(at int64) { s.meta.RecordMs = max(s.meta.RecordMs, at) }

// Drop forgets what the open transaction changed, as an abort does, of a state that no
// step runs.
func (s *State) Drop() { s.rollback() }

// Fold makes what the open transaction changed part of the store, as a commit does,
// of a state that no step runs. It returns the rows that changed.
func (s *State) Fold() ([]Change, error) {
	changes := s.changes()
	return changes, s.commit(changes, 0)
}
