package sessionizer

import (
	"fmt"

	"github.com/cairnhq/cairn/pkg/stream"
)

// ModelError says that a partition's state was made under another journey model.
// Its sessions and points were cut and matched by that one's rules, so going on
// would mix the two.
type ModelError struct{ Have, Want string }

func (e *ModelError) Error() string {
	return fmt.Sprintf("the state was made under the journey model %s and this is %s: start with that model again, "+
		"or give this one a namespace of its own", e.Have, e.Want)
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
