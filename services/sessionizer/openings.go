package sessionizer

import (
	"encoding/binary"
	"fmt"

	"github.com/cairnhq/cairn/pkg/stream"
)

// openings is the number of a partition's open sessions. It is a row of the
// state, because counting them would mean reading all.
type openings struct {
	state *stream.State
	n     int64
}

func newOpenings(state *stream.State) (openings, error) {
	o := openings{state: state}
	return o, o.load()
}

func (o *openings) load() error {
	raw, err := o.state.Get([]byte{tableOpen})
	if err != nil || raw == nil {
		o.n = 0
		return err
	}
	n, size := binary.Varint(raw)
	if size <= 0 {
		return fmt.Errorf("state row of open sessions is damaged: %x", raw)
	}
	o.n = n
	return nil
}

// add counts sessions that opened, or closed if more is negative.
func (o *openings) add(more int) {
	if more != 0 {
		o.n += int64(more)
		o.state.Put([]byte{tableOpen}, binary.AppendVarint(nil, o.n))
	}
}
