package wire_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
)

// goldenVersion is the folder that -update writes to. A format that changes gets a
// new one, beside the old: what was written once must be read for ever.
const goldenVersion = 4

const goldenDir = "testdata/golden"

// golden is a row, record or event of which a sample is kept.
type golden struct {
	name   string
	event  bool // JSON, kept as it is; all others are kept as lines of hex
	value  any
	encode func() ([]byte, error)
	decode func([]byte) (any, error)
}

func TestMain(m *testing.M) {
	flag.Bool("update", false, "write the golden files that are missing; none is changed")
	os.Exit(m.Run())
}

func updating() bool { return flag.Lookup("update").Value.String() == "true" }

// TestGoldenFilesAreWhatWeWrite: the bytes of each format are those of its newest
// golden file, and they say what the sample says.
func TestGoldenFilesAreWhatWeWrite(t *testing.T) {
	for _, g := range samples() {
		t.Run(g.name, func(t *testing.T) {
			raw, err := g.encode()
			require.NoError(t, err)
			require.NoError(t, keepGolden(goldenDir, &g, raw, updating()))
			got, err := g.decode(readGolden(t, filepath.Join(goldenDir, newest(goldenDir, &g), g.file())))
			require.NoError(t, err)
			if want, ok := g.value.(proto.Message); ok {
				message, ok := got.(proto.Message)
				require.True(t, ok && proto.Equal(want, message), "got %v, want %v", got, want)
				return
			}
			require.Equal(t, g.value, got)
		})
	}
}

// TestGoldenFilesOfAllVersionsAreRead: every golden file of every version can
// still be decoded, and all that it said then it says now. Fields may have come.
func TestGoldenFilesOfAllVersionsAreRead(t *testing.T) {
	known := map[string]golden{}
	for _, g := range samples() {
		known[g.file()] = g
	}
	files, err := filepath.Glob(goldenDir + "/v*/*")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, path := range files {
		if strings.HasSuffix(path, valueSuffix) {
			continue
		}
		t.Run(strings.TrimPrefix(path, goldenDir+"/"), func(t *testing.T) {
			g, ok := known[filepath.Base(path)]
			require.True(t, ok, "nothing reads this format any more; a format that was released is read for ever")
			value, err := g.decode(readGolden(t, path))
			require.NoError(t, err)
			now, err := json.MarshalIndent(value, "", " ")
			require.NoError(t, err)
			said := filepath.Join(filepath.Dir(path), g.name+valueSuffix)
			was, err := os.ReadFile(said)
			if os.IsNotExist(err) && updating() {
				require.NoError(t, os.WriteFile(said, append(now, '\n'), 0o600))
				was, err = now, nil
			}
			require.NoError(t, err, "what the file says is missing: run go test ./pkg/wire -run Golden -update")
			requireSays(t, parse(t, now), parse(t, was), g.name)
		})
	}
}

// valueSuffix ends the name of the file that says what a golden file means.
const valueSuffix = ".value.json"

// requireSays demands that all that was said is said.
func requireSays(t *testing.T, now, was any, path string) {
	t.Helper()
	switch was := was.(type) {
	case map[string]any:
		have, ok := now.(map[string]any)
		require.True(t, ok, path)
		for k, v := range was {
			requireSays(t, have[k], v, path+"."+k)
		}
	case []any:
		have, ok := now.([]any)
		require.True(t, ok && len(have) == len(was), "%s: %d items, want %d", path, len(have), len(was))
		for i, v := range was {
			requireSays(t, have[i], v, path+"."+strconv.Itoa(i))
		}
	default:
		require.Equal(t, was, now, path)
	}
}

func parse(t *testing.T, raw []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	require.NoError(t, d.Decode(&v))
	return v
}

// TestGoldenFilesAreNeverChanged: -update adds files, and refuses to change one.
func TestGoldenFilesAreNeverChanged(t *testing.T) {
	dir := t.TempDir()
	g := &golden{name: "row"}
	require.ErrorContains(t, keepGolden(dir, g, []byte("one"), false), "-update")
	require.NoError(t, keepGolden(dir, g, []byte("one"), true))
	require.NoError(t, keepGolden(dir, g, []byte("one"), false))
	for _, update := range []bool{false, true} {
		require.ErrorContains(t, keepGolden(dir, g, []byte("two"), update), "a changed format needs a new version")
	}
	require.Equal(t, []byte("one"), readGolden(t, filepath.Join(dir, fmt.Sprintf("v%d", goldenVersion), "row.hex")))
	// A folder of before keeps what it has; the new format goes beside it.
	old := filepath.Join(dir, fmt.Sprintf("v%d", goldenVersion-1))
	require.NoError(t, os.Rename(filepath.Join(dir, fmt.Sprintf("v%d", goldenVersion)), old))
	require.NoError(t, keepGolden(dir, g, []byte("two"), true))
	require.Equal(t, []byte("one"), readGolden(t, filepath.Join(old, "row.hex")))
	require.Equal(t, fmt.Sprintf("v%d", goldenVersion), newest(dir, g))
}

// TestSamplesAreFull: a sample leaves no field out, so that a new field has to be
// in a golden file before it can be released.
func TestSamplesAreFull(t *testing.T) {
	for _, g := range samples() {
		if !slices.Contains(partly(), g.name) {
			requireFull(t, reflect.ValueOf(g.value), g.name)
		}
	}
}

// requireFull demands that no exported field is zero, however deep. A slice
// stands for its first element: others show that fields may be empty.
func requireFull(t *testing.T, v reflect.Value, path string) {
	t.Helper()
	if slices.Contains(computed(), path) {
		return
	}
	require.False(t, v.IsZero(), "%s is zero in its sample: fill it in, in samples_test.go", path)
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		requireFull(t, v.Elem(), path)
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				requireFull(t, v.Field(i), path+"."+f.Name)
			}
		}
	case reflect.Slice:
		require.NotZero(t, v.Len(), path)
		requireFull(t, v.Index(0), path+"[]")
	case reflect.Map:
		require.NotZero(t, v.Len(), path)
	default:
	}
}

// keepGolden compares what we write with the newest golden file, and writes one
// that is missing if update is set.
func keepGolden(dir string, g *golden, raw []byte, update bool) error {
	version := newest(dir, g)
	if version != "" {
		was, err := parseGolden(filepath.Join(dir, version, g.file()))
		if err != nil {
			return err
		}
		if bytes.Equal(was, raw) {
			return nil
		}
	}
	here := fmt.Sprintf("v%d", goldenVersion)
	switch {
	case version == here:
		return fmt.Errorf("%s is no longer written as in %s/%s: a changed format needs a new version. Readers of the old one stay: raise goldenVersion (and stateVersion, if an older cairn would read the new rows wrongly), then run with -update", g.name, dir, version)
	case !update:
		return fmt.Errorf("%s has no golden file in %s/%s: run go test ./pkg/wire -run Golden -update", g.name, dir, here)
	}
	if err := os.MkdirAll(filepath.Join(dir, here), 0o750); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, here, g.file()), g.text(raw), 0o600)
}

// newest is the folder with the newest golden file of a format, or "".
func newest(dir string, g *golden) string {
	for n := goldenVersion; n > 0; n-- {
		version := fmt.Sprintf("v%d", n)
		if _, err := os.Stat(filepath.Join(dir, version, g.file())); err == nil {
			return version
		}
	}
	return ""
}

func (g *golden) file() string {
	if g.event {
		return g.name + ".json"
	}
	return g.name + ".hex"
}

// text is how bytes are kept: JSON with a line feed, all else as lines of hex.
func (g *golden) text(raw []byte) []byte {
	if g.event {
		return append(bytes.Clone(raw), '\n')
	}
	var b bytes.Buffer
	for line := range slices.Chunk(raw, 32) {
		b.WriteString(hex.EncodeToString(line) + "\n")
	}
	return b.Bytes()
}

func parseGolden(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil || filepath.Ext(path) == ".json" {
		return bytes.TrimSpace(text), err
	}
	return hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
}

func readGolden(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := parseGolden(path)
	require.NoError(t, err)
	return raw
}
