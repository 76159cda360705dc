package model_test

import (
	"testing"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/model"
)

// FuzzLoad: whatever the file, Load answers with a usable model or with errors
// that name the file, and never panics.
func FuzzLoad(f *testing.F) {
	for _, name := range model.BuiltinNames() {
		data, err := model.BuiltinSource(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, text := range []string{
		"", "version: 1", "{", "- a\n- b", "a: &x [*x]", "version: 1\nstages: [{name: a, enter: [{where: 'properties.a[0].b > 1'}]}]",
		"version: 1\nstages:\n\t- name: a", "? {a: b}\n: c", "a: |\n  x\n b", "!!binary x", "version: 1\nstages: [{name: a, enter: [{<<: {type: page}}]}]",
	} {
		f.Add([]byte(text))
	}
	p := &journey.Touchpoint{Type: "track", Event: "order_completed", Properties: `{"a":[{"b":2}],"items":2}`}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := model.Load(data, "fuzz.yaml")
		if err != nil {
			if m != nil || err.Error() == "" || err.Error()[:9] != "fuzz.yaml" {
				t.Fatalf("model %v, error %q", m, err)
			}
			return
		}
		m.Match(p)
		if len(m.Stages) == 0 || m.SessionGap <= 0 || m.JourneyGap <= 0 || m.Goal >= len(m.Stages) {
			t.Fatalf("accepted an unusable model: %+v", m)
		}
	})
}
