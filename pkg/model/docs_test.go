package model_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/model"
)

// Every example of docs/model.md is accepted, alone.
func TestExamplesOfTheDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/model.md")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	require.GreaterOrEqual(t, len(blocks), 6)
	for _, b := range blocks {
		texts := []string{b[1]}
		switch {
		case strings.HasPrefix(b[1], "where:"): // a list of conditions
			texts = nil
			for line := range strings.Lines(b[1]) {
				texts = append(texts, "version: 1\nstages: [{name: a, enter: [{"+strings.TrimSpace(line)+"}]}]")
			}
		case strings.HasPrefix(b[1], "stages:"):
			texts[0] = "version: 1\n" + b[1]
		case !strings.HasPrefix(b[1], "version:"):
			texts[0] = oneStage + b[1]
		}
		for _, text := range texts {
			_, err := model.Load([]byte(text), "docs.yaml")
			require.NoError(t, err, text)
		}
	}
	example, err := os.ReadFile("testdata/example.yaml")
	require.NoError(t, err)
	require.Contains(t, string(page), string(example), "the page quotes testdata/example.yaml")
}
