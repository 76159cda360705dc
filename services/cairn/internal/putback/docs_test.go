package putback_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/services/cairn/internal/putback"
)

// yamlOf are the YAML blocks of a page of docs.
func yamlOf(t *testing.T, page string) (all []string) {
	t.Helper()
	for _, found := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(pageOf(t, page), -1) {
		all = append(all, found[1])
	}
	return all
}

func pageOf(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile("../../../../docs/" + page)
	require.NoError(t, err)
	return string(text)
}

// The story that docs/tracking-plans.md tells happens so: its plan rejects its
// event with its sentence, and its mapping repairs it.
func TestTheMappingOfTheDocsRepairsItsEvent(t *testing.T) {
	const page = "tracking-plans.md"
	blocks := yamlOf(t, page)
	require.Len(t, blocks, 2, "a plan and a mapping")
	row := regexp.MustCompile("(?m)^\\| `(/properties/[^`]*)` \\| `(\\{[^`]*\\})` \\|$").FindStringSubmatch(pageOf(t, page))
	require.NotNil(t, row)
	r := newRigUnder(t, blocks[0])
	r.send(row[2])
	rejected := r.read(stream.TopicRejected)
	require.Len(t, rejected, 1)
	require.Equal(t, row[1], header(rejected[0], wire.HeaderError))

	mapping := func(o *putback.Options) { o.Reasons, o.Fix = []string{wire.ReasonPlan}, fix(t, blocks[1]) }
	require.Equal(t, 1, r.run(mapping).PutBack)
	require.Zero(t, r.run(mapping).PutBack)
	for _, tp := range r.touchpoints() {
		require.Equal(t, int64(49_900_000), tp.RevenueMicros)
		require.Equal(t, "EUR", tp.Currency)
	}
	require.Len(t, r.touchpoints(), 1)
}

// The other mappings of the docs can be read.
func TestMappingsOfTheDocsAreRight(t *testing.T) {
	found := 0
	for _, block := range yamlOf(t, "operations.md") {
		if regexp.MustCompile("(?m)^fix:").MatchString(block) {
			fix(t, block)
			found++
		}
	}
	require.Positive(t, found)
}
