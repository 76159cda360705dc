package wire_test

import (
	"math"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/journey/journeytest"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// damage changes some of a row's numbers to ones that no cairn wrote, and loses
// and turns round lists.
func damage(t *rapid.T, v reflect.Value) {
	hit := func() bool { return rapid.IntRange(0, 15).Draw(t, "hit") == 0 }
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			damage(t, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() {
				continue
			}
			if f.Type.Kind() == reflect.Pointer && hit() {
				v.Field(i).SetZero()
			}
			if f.Name != "EmittedFrom" { // see maxEmitted
				damage(t, v.Field(i))
			}
		}
	case reflect.Slice:
		if hit() {
			v.Set(v.Slice(0, rapid.IntRange(0, v.Len()).Draw(t, "length")))
		}
		if v.Len() > 1 && hit() {
			swap := reflect.Swapper(v.Interface())
			swap(0, v.Len()-1)
		}
		for i := range v.Len() {
			damage(t, v.Index(i))
		}
	case reflect.Int32, reflect.Int64:
		if hit() {
			v.SetInt(rapid.SampledFrom([]int64{-1, 0, 1, 3, 7, 64, 1000, -1 << 31, 1<<31 - 1, math.MinInt64, math.MaxInt64, noon}).Draw(t, "number"))
		}
	case reflect.Uint32, reflect.Uint64:
		if hit() {
			v.SetUint(rapid.SampledFrom([]uint64{0, 1, 3, 7, 31, 32, 64, 1000, 1<<31 - 1, 1 << 31, 1 << 63, math.MaxUint64}).Draw(t, "number"))
		}
	default:
	}
}

// damaged is a row with some damage; what it is then may still be decoded.
func damaged[M interface {
	UnmarshalVTUnsafe([]byte) error
	SizeVT() int
	MarshalToSizedBufferVT([]byte) (int, error)
}](t *rapid.T, raw []byte, row M,
) []byte {
	if len(raw) == 0 {
		return raw
	}
	require.NoError(t, row.UnmarshalVTUnsafe(raw[1:]))
	damage(t, reflect.ValueOf(row))
	return append([]byte{raw[0]}, wire.Marshal(row)...)
}

// TestDamagedProfilesCanBeUsed: whatever numbers stand in a profile's rows, what
// comes next neither panics nor goes on without end.
func TestDamagedProfilesCanBeUsed(t *testing.T) {
	m, list := journeytest.FullModel(), realProfiles()
	rapid.Check(t, func(t *rapid.T) {
		r := list[rapid.IntRange(0, len(list)-1).Draw(t, "profile")]
		p := &journey.Profile{ID: "user:42"}
		_, _ = wire.DecodeJourneys(damaged(t, r.journeys, &wirepb.JourneysRow{}), p)
		if points, err := wire.DecodePoints(nil, damaged(t, r.points, &wirepb.PointsRow{})); err == nil {
			p.Restore(points)
		}
		if past, err := wire.DecodePast(damaged(t, r.past, &wirepb.PastRow{})); err == nil {
			p.Past = past
		}
		if frictions, err := wire.DecodeFrictions(damaged(t, r.frictions, &wirepb.FrictionsRow{})); err == nil {
			p.RestoreFrictions(frictions)
		}
		p.Sort()
		use(p, m, rapid.SampledFrom([]int64{-1, 60_000, 3_600_000, 1 << 40}).Draw(t, "later"))
	})
}
