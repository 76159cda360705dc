package model_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/model"
)

// Every mistake has a sentence with its place: testdata/errors.
func TestErrors(t *testing.T) {
	datadriven.Walk(t, "testdata/errors", func(t *testing.T, path string) {
		t.Helper()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			t.Helper()
			text := d.Input + "\n"
			if d.Cmd == "stages" { // the usual beginning, so that a case shows what it is about
				text = "version: 1\nstages:\n" + text
			}
			m, err := model.Load([]byte(text), "j.yaml")
			if err == nil {
				return fmt.Sprintf("ok: %d stages", len(m.Stages))
			}
			var first *model.Error
			require.ErrorAs(t, err, &first)
			return err.Error()
		})
	})
}

func TestBuiltinModelsLoad(t *testing.T) {
	for _, name := range model.BuiltinNames() {
		m, err := model.Builtin(name)
		require.NoError(t, err, name)
		require.Regexp(t, "^"+name+"@[0-9a-f]{8}$", m.Name)
		require.Equal(t, "purchase", m.StageName(m.Goal))
		var stages []string
		for _, s := range m.Stages {
			stages = append(stages, s.Name)
			require.NotEmpty(t, s.Rules, s.Name)
		}
		require.Equal(t, []string{"awareness", "consideration", "decision", "purchase", "retention", "advocacy"}, stages)
	}
	_, err := model.Builtin("shp")
	require.EqualError(t, err, `there is no built-in model "shp"; did you mean "shop"? (there are shop, b2b)`)
}

func TestExampleOfTheDocsCompiles(t *testing.T) {
	data, err := os.ReadFile("testdata/example.yaml")
	require.NoError(t, err)
	m, err := model.Load(data, "some/dir/example.yaml")
	require.NoError(t, err)
	const minute, hour, day = int64(60_000), int64(3_600_000), int64(86_400_000)
	require.True(t, strings.HasPrefix(m.Name, "example@"), m.Name)
	require.Equal(t, 30*minute, m.SessionGap)
	require.Equal(t, 720*hour, m.Lateness)
	require.Equal(t, 90*day, m.JourneyGap)
	require.Equal(t, 3, m.Goal)
	require.Equal(t, 10, m.UserLimit)
	consideration := m.Stages[1]
	require.Equal(t, []string{"discover", "compare"}, consideration.Substages)
	discover := consideration.Rules[0]
	require.Equal(t, []string{"product_viewed", "content_downloaded"}, discover.Events)
	require.Equal(t, 0, discover.Substage)
	require.Equal(t, 2, discover.AtLeast)
	require.Equal(t, 7*day, discover.Within)
	require.Equal(t, -1, discover.After)
	require.Equal(t, -1, m.Stages[0].Rules[1].Substage)
	require.Equal(t, "page", m.Stages[0].Rules[1].Type)
	require.Equal(t, []int{1}, m.Stages[4].Returns)
	require.Equal(t, 3, m.Stages[4].Rules[0].After)
	require.Equal(t, 14*day, m.Stages[2].Window)
	require.NotZero(t, m.Match(&journey.Touchpoint{Event: "referral_sent", Sentiment: 100, SentimentSource: "stars"}))
	require.Equal(t, []string{"checkout_abandoned", "payment_failed", "search_repeated", "bad_score"}, frictionNames(m))
	require.Equal(t, "nps 150", scored(m, "survey_answered", `{"score":9}`))
	require.Equal(t, "bargain_hunter", personaOf(m, behaviour(m, `{"coupons_used":3}`, nil)))
	require.Equal(t, 30*day, m.Intent.HalfLife)
	require.Equal(t, int32(20), m.Intent.Points(&journey.Touchpoint{Event: "pricing_viewed", Properties: `{"content_type":"webinar"}`}))
}

func TestDefaults(t *testing.T) {
	m := load(t, "version: 1\nstages: [{name: a, enter: [{type: page}]}]")
	require.Equal(t, int64(30*60_000), m.SessionGap)
	require.Equal(t, int64(30*86_400_000), m.Lateness)
	require.Equal(t, int64(90*86_400_000), m.JourneyGap)
	require.Equal(t, -1, m.Goal)
}

func TestJSONIsYAML(t *testing.T) {
	m := load(t, "{\n\t\"version\": 1,\n\t\"stages\": [\n\t\t{\"name\": \"a\", \"enter\": [{\"events\": [\"Order Completed\"]}]}\n\t]\n}")
	require.Equal(t, []string{"order_completed"}, m.Stages[0].Rules[0].Events)
}

// The name changes with the content, not with comments, layout or order of keys.
func TestNameFollowsContent(t *testing.T) {
	one := load(t, "version: 1\nstages: [{name: a, enter: [{type: page}]}]")
	same := load(t, "# a comment\nstages:\n  - enter:\n      - type: \"page\"\n    name: a\nversion: 1\n")
	other := load(t, "version: 1\nstages: [{name: a, enter: [{type: screen}]}]")
	require.Equal(t, one.Name, same.Name)
	require.NotEqual(t, one.Name, other.Name)
}

func TestCompiledModelMatches(t *testing.T) {
	m, err := model.Builtin("shop")
	require.NoError(t, err)
	require.Zero(t, m.Match(&journey.Touchpoint{Type: "track", Event: "unheard_of"}))
	require.NotZero(t, m.Match(&journey.Touchpoint{Type: "track", Event: "order_completed"}))
	require.NotZero(t, m.Match(&journey.Touchpoint{Type: "page"}))
}

func TestLimits(t *testing.T) {
	stage := func(i, rules int) string {
		return fmt.Sprintf("  - {name: s%d, enter: [%s]}\n", i, strings.TrimSuffix(strings.Repeat("{type: page}, ", rules), ", "))
	}
	head := "version: 1\nstages:\n"
	many := func(stages, rules int) string {
		return head + times(stages, func(i int) string { return stage(i, rules) })
	}
	for name, c := range map[string]struct{ ok, tooMuch, want string }{
		"stages": {many(model.MaxStages, 1), many(model.MaxStages+1, 1), "a model may have 32"},
		"rules":  {many(8, journey.MaxRules/8), many(8, journey.MaxRules/8) + stage(9, 1), "a model may have 64"},
		"file":   {many(1, 1) + strings.Repeat("#", 1000), many(1, 1) + strings.Repeat("#", model.MaxFileSize), "a model file may have 65536"},
		"where": {
			whereModel(strings.Repeat(" ", model.MaxWhere-9) + "1 == 1"), whereModel(strings.Repeat(" ", model.MaxWhere) + "1 == 1"), "it may have 1024",
		},
		"list": {eventsModel(model.MaxList), eventsModel(model.MaxList + 1), "it may have 256"},
	} {
		_, err := model.Load([]byte(c.ok), "j.yaml")
		require.NoError(t, err, name)
		_, err = model.Load([]byte(c.tooMuch), "j.yaml")
		require.ErrorContains(t, err, c.want, name)
	}
}

// times is what one says of 0 to n-1, one after the other.
func times(n int, one func(i int) string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(one(i))
	}
	return b.String()
}

func eventsModel(n int) string {
	var events []string
	for i := range n {
		events = append(events, fmt.Sprintf("e%d", i))
	}
	return "version: 1\nstages: [{name: a, enter: [{events: [" + strings.Join(events, ", ") + "]}]}]"
}

func TestManyErrorsAreCut(t *testing.T) {
	text := oneStage + times(30, func(i int) string { return fmt.Sprintf("mistake%d: 1\n", i) })
	_, err := model.Load([]byte(text), "j.yaml")
	var all model.Errors
	require.ErrorAs(t, err, &all)
	require.Len(t, all, 30)
	lines := strings.Split(err.Error(), "\n")
	require.Len(t, lines, 21)
	require.Equal(t, "and 10 more", lines[20])
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]int64{
		"30m": 1_800_000, "720h": 2_592_000_000, "90d": 7_776_000_000, "1d12h": 129_600_000, "2w": 1_209_600_000, "250ms": 250, "1s": 1000,
	} {
		got, err := model.ParseDuration(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "30", "m", "1.5h", "-3m", "30 m", "30min", "99999999999999999999h", "11000d", "0m", "3650d11d"} {
		_, err := model.ParseDuration(text)
		require.Error(t, err, text)
	}
}

func load(tb testing.TB, text string, opts ...model.Option) *journey.Model {
	tb.Helper()
	m, err := model.Load([]byte(text), "j.yaml", opts...)
	require.NoError(tb, err)
	return m
}
