package model_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/model"
)

// The parser's own worst cases, at the largest size allowed, end in an error and
// not in a crash.
func TestHostileFiles(t *testing.T) {
	fill := func(unit string) string { return strings.Repeat(unit, model.MaxFileSize/len(unit)) }
	for name, text := range map[string]string{
		"open lists":       fill("["),
		"open mappings":    fill("{a: "),
		"nested items":     fill("- "),
		"nested questions": fill("? "),
		"colons":           fill("a: "),
		"quotes":           fill(`"`),
		"anchors":          fill("&a "),
		"tags":             fill("!a "),
		"lines":            fill("a\n"),
		"keys":             fill("a:\n"),
		"indents":          fill(" |\n"),
		"nul":              fill("\x00"),
		"comments":         fill("#\n"),
		"where brackets":   whereModel(strings.Repeat("(", model.MaxWhere)),
		"where questions":  whereModel(strings.Repeat("true?", model.MaxWhere/5)),
	} {
		began := time.Now()
		_, err := model.Load([]byte(text), "j.yaml")
		require.Error(t, err, name)
		t.Logf("%s: %v", name, time.Since(began))
	}
}
