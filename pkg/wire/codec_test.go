package wire_test

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// fill draws a value for every settable field, so that a field that a codec
// forgets shows.
func fill(t *rapid.T, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(t, v.Field(i))
			}
		}
	case reflect.String:
		v.SetString(rapid.StringN(1, 8, 16).Draw(t, "text"))
	case reflect.Int: // an index
		v.SetInt(rapid.Int64Range(0, 1<<30).Draw(t, "index"))
	case reflect.Int16:
		v.SetInt(rapid.Int64Range(-1<<15, 1<<15-1).Draw(t, "number"))
	case reflect.Int32:
		v.SetInt(rapid.Int64Range(-1<<20, 1<<20).Draw(t, "number"))
	case reflect.Int64:
		v.SetInt(rapid.Int64Range(-1<<42, 1<<42).Draw(t, "number"))
	case reflect.Uint8:
		v.SetUint(rapid.Uint64Range(1, 1<<8-1).Draw(t, "number"))
	case reflect.Uint32:
		v.SetUint(rapid.Uint64Range(1, 1<<32-1).Draw(t, "number"))
	case reflect.Uint64:
		v.SetUint(rapid.Uint64Range(1, 1<<64-1).Draw(t, "number"))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "flag"))
	case reflect.Slice:
		n := rapid.IntRange(1, 3).Draw(t, "length")
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(t, v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range rapid.IntRange(1, 3).Draw(t, "entries") {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(t, key)
			fill(t, value)
			v.SetMapIndex(key, value)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem())
	default:
		panic("fill: " + v.Kind().String())
	}
}

func TestTouchpointsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var in, out journey.Touchpoint
		fill(t, reflect.ValueOf(&in).Elem())
		var rec, back wirepb.Touchpoint
		wire.Touchpoint(&rec, &in)
		raw := wire.Marshal(&rec)
		require.NoError(t, back.UnmarshalVTUnsafe(raw))
		wire.FromTouchpoint(&out, &back)
		require.Equal(t, in, out)
		// The fast codec writes what Google's reads.
		var google wirepb.Touchpoint
		require.NoError(t, proto.Unmarshal(raw, &google))
		require.True(t, proto.Equal(&rec, &google))
	})
}

func TestTransitionsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var in, out wire.Transition
		fill(t, reflect.ValueOf(&in).Elem())
		raw := wire.AppendTransition(nil, "ns", &in)
		require.NoError(t, wire.DecodeTransition(raw, &out))
		require.Equal(t, in, out)
	})
}

func TestFrictionsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var in, out journey.Friction
		fill(t, reflect.ValueOf(&in).Elem())
		raw := wire.AppendFriction(nil, "ns", &in)
		require.NoError(t, wire.DecodeFriction(raw, &out))
		require.Equal(t, in, out)
	})
}

func TestSessionRowsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := &journey.Session{}
		v := reflect.ValueOf(in).Elem()
		for i := range v.NumField() {
			switch f := v.Type().Field(i); {
			case !f.IsExported() || f.Name == "Landing" || f.Name == "Exit" || f.Name == "Absorbed":
			default:
				fill(t, v.Field(i))
			}
		}
		in.Landing.SetAt("/a", 5, "m")
		in.Exit.SetAt("/b", 6, "n")
		in.Absorbed = []journey.Void{{ID: "x", Minted: 3}}
		out, err := wire.DecodeSession(wire.EncodeSession(in))
		require.NoError(t, err)
		require.Equal(t, in, out)
	})
}

func TestRowsOfANewerCairnAreRefused(t *testing.T) {
	row := wire.EncodeMeta(&wirepb.PartitionMeta{NextOffset: 4})
	row[0] = 9
	_, err := wire.DecodeMeta(row)
	require.ErrorContains(t, err, "version 9")
	_, err = wire.DecodeMeta(nil)
	require.ErrorContains(t, err, "empty")
}
