package sources_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/services/collector/internal/sources"
)

func TestTheFile(t *testing.T) {
	got, err := sources.Parse([]byte(`
sources:
  - source: shop
    keys: [`+sources.FormatHash("old")+`, `+sources.FormatHash("new")+`]
    origins: ["https://shop.example"]
    events_per_second: 50
    consent: {required: [analytics]}
    do_not_track: anonymise
    pii:
      - {path: properties.email, do: hash}
  - source: till
`), "keys.yaml")
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.Len(t, got[0].Hashes, 2)
	require.Equal(t, "drop", got[0].Consent.OnMissing)
	require.Equal(t, "ignore", got[1].DoNotTrack)
	empty, err := sources.Parse(nil, "keys.yaml")
	require.NoError(t, err)
	require.Empty(t, empty)
}

func TestTheFileSaysWhatIsWrong(t *testing.T) {
	hash := `"` + sources.FormatHash("secret-key") + `"`
	for want, text := range map[string]string{
		"keys.yaml:3:5":           "sources:\n  - source: a\n    colour: red",
		"source is missing":       "sources: [{keys: []}]",
		"is there twice":          "sources: [{source: a}, {source: a}]",
		"keys: entry 2 is no":     "sources: [{source: a, keys: [" + hash + ", secret-key]}]",
		"keys: entry 1 is no":     "sources: [{source: a, keys: [" + hash[:20] + "\"]}]",
		"events_per_second":       "sources: [{source: a, events_per_second: -1}]",
		"origins: \"shop":         "sources: [{source: a, origins: [shop.example]}]",
		"origins: \"https://a/\"": "sources: [{source: a, origins: [\"https://a/\"]}]",
		"do_not_track is":         "sources: [{source: a, do_not_track: never}]",
		"on_missing is":           "sources: [{source: a, consent: {on_missing: hide}}]",
		"empty name":              "sources: [{source: a, consent: {required: [\"\"]}}]",
	} {
		_, err := sources.Parse([]byte(text), "keys.yaml")
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "keys.yaml")
		require.NotContains(t, err.Error(), "secret-key")
	}
}

func TestOrigins(t *testing.T) {
	s := sources.Source{Origins: []string{"https://shop.example", "http://localhost:8080", "https://*.cairn.example"}}
	for origin, want := range map[string]bool{
		"https://shop.example": true, "https://SHOP.example": true, "http://shop.example": false, "https://shop.example:8443": false,
		"https://shop.example.evil.example": false, "http://localhost:8080": true, "http://localhost": false,
		"https://a.cairn.example": true, "https://a.b.cairn.example": true, "https://cairn.example": false, "https://.cairn.example": false,
		"https://evil.example/.cairn.example": false, "https://evilcairn.example": false, "null": false, "": false,
	} {
		require.Equal(t, want, s.Origin(origin), origin)
	}
	require.True(t, (&sources.Source{}).Origin("https://anything.example"))
}

func TestHashes(t *testing.T) {
	text := sources.FormatHash("k")
	h, ok := sources.ParseHash(text)
	require.True(t, ok)
	upper, ok := sources.ParseHash("sha256:" + strings.ToUpper(text[7:]))
	require.True(t, ok)
	require.Equal(t, h, upper)
	for _, bad := range []string{"", "k", text[7:], text + "0", "sha256:" + strings.Repeat("g", 64)} {
		_, ok := sources.ParseHash(bad)
		require.False(t, ok, bad)
	}
}
