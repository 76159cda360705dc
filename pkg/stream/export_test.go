package stream

import (
	"errors"
	"path/filepath"

	"go.uber.org/zap"
)

// EditState changes what a stopped step has left on disk.
func EditState(stateDir, step string, partition int32, edit func(Store) error) error {
	d, err := openDatabase(filepath.Join(stateDir, step), MinStateCache, zap.NewNop())
	if err != nil {
		return err
	}
	s, err := d.store(partition)
	if err == nil {
		err = errors.Join(edit(s), s.Close())
	}
	return errors.Join(err, d.close())
}

// RestoresAtOnce is how many restores run at the same time.
const RestoresAtOnce = restoresAtOnce
