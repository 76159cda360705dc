package importer

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fastjson"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// kept is a sender that keeps everything.
type kept struct {
	records []*Record
	fail    error
	sets    bool
}

func (k *kept) Send(_ context.Context, r *Record) error {
	k.records = append(k.records, r)
	return k.fail
}
func (k *kept) Flush(context.Context) error { return nil }
func (k *kept) SetsArrival() bool           { return k.sets }

// ids are the message ids of what was kept, sorted.
func (k *kept) ids() []string {
	var out []string
	for _, r := range k.records {
		out = append(out, fastjson.GetString(r.Value, "messageId"))
	}
	slices.Sort(out)
	return out
}

// importText imports text as one file called name and returns what was sent,
// the summary and the complaints.
func importText(t *testing.T, name, text string, o Options) (*kept, *Summary, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	k := new(kept)
	var complaints strings.Builder
	o.Files, o.Sender, o.Complaints = []string{path}, k, &complaints
	sum, err := Run(t.Context(), o)
	require.NoError(t, err)
	return k, sum, strings.ReplaceAll(complaints.String(), filepath.Dir(path)+"/", "")
}

// visits is a log of n lines by a few visitors, some of them the same line twice.
func visits(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf(`192.0.2.%d - - [02/Feb/2026:10:%02d:00 +0000] "GET /p%d HTTP/1.1" 200 10 "-" "agent %d"`,
			i%5, i%7, i%3, i%2))
	}
	return out
}

func TestIDsDependOnLinesOnly(t *testing.T) {
	lines := visits(400)
	first, sum, _ := importText(t, "a.log", strings.Join(lines, "\n")+"\n", Options{})
	require.EqualValues(t, 400, sum.Sent)
	ids := first.ids()
	require.Len(t, slices.Compact(slices.Clone(ids)), 400, "equal lines are different touchpoints")

	rand.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	shuffled, _, _ := importText(t, "b.log", strings.Join(lines, "\r\n"), Options{})
	require.Equal(t, ids, shuffled.ids(), "order, line ends and the last line break do not matter")
}

func TestOccurrencesAreCountedOverAllFiles(t *testing.T) {
	dir := t.TempDir()
	line := visits(1)[0] + "\n"
	for _, name := range []string{"a.log", "b.log"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(line), 0o600))
	}
	k := new(kept)
	sum, err := Run(t.Context(), Options{Files: []string{filepath.Join(dir, "a.log"), filepath.Join(dir, "b.log")}, Sender: k})
	require.NoError(t, err)
	require.EqualValues(t, 2, sum.Sent)
	require.NotEqual(t, k.ids()[0], k.ids()[1])
	require.Equal(t, "b.log", k.records[1].Source)
}

func TestMalformedLinesAreSentWholeAndTheRestGoesOn(t *testing.T) {
	text := visits(1)[0] + "\n\n\xff\xfe broken\n" + visits(2)[1] + "\n"
	k, sum, complaints := importText(t, "a.log", text, Options{})
	require.Equal(t, FileSummary{Lines: 4, Sent: 2, Malformed: 1, Blank: 1}, sum.FileSummary)
	require.Len(t, k.records, 3)
	require.Equal(t, "a.log:3:4: want a time in brackets, as in [17/May/2015:10:05:03 +0000]", k.records[1].Malformed)
	require.Equal(t, "\xff\xfe broken", string(k.records[1].Value), "byte for byte")
	again, _, _ := importText(t, "b.log", "\xff\xfe broken\n", Options{})
	require.Equal(t, k.records[1].Key, again.records[0].Key, "it comes to the same partition each time")
	require.Equal(t, "a.log:3:4: want a time in brackets, as in [17/May/2015:10:05:03 +0000]\n", complaints)
}

func TestComplaintsAreBounded(t *testing.T) {
	_, sum, complaints := importText(t, "a.log", strings.Repeat("x\n", 10), Options{MaxComplaints: 3, Format: AccessLog})
	require.EqualValues(t, 10, sum.Malformed)
	require.Equal(t, 4, strings.Count(complaints, "\n"))
	require.Contains(t, complaints, "and 7 more malformed lines")
}

func TestGzipIsToldByItsContent(t *testing.T) {
	var zipped bytes.Buffer
	for _, l := range visits(2) { // as logrotate and cat make them: several members
		w := gzip.NewWriter(&zipped)
		_, err := w.Write([]byte(l + "\n"))
		require.NoError(t, err)
		require.NoError(t, w.Close())
	}
	k, sum, _ := importText(t, "no-suffix", zipped.String(), Options{})
	require.EqualValues(t, 2, sum.Sent)
	plain, _, _ := importText(t, "a.log", strings.Join(visits(2), "\n"), Options{})
	require.Equal(t, plain.ids(), k.ids())
}

func TestATruncatedGzipIsAnErrorWithItsPlace(t *testing.T) {
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, err := io.WriteString(w, strings.Join(visits(3), "\n"))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	path := filepath.Join(t.TempDir(), "a.gz")
	require.NoError(t, os.WriteFile(path, zipped.Bytes()[:zipped.Len()-9], 0o600))
	_, err = Run(t.Context(), Options{Files: []string{path}, Sender: new(kept)})
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.ErrorContains(t, err, path+":")
}

func TestALineTooLongIsSkippedInBoundedMemory(t *testing.T) {
	long := strings.Repeat("y", MaxLine+10)
	fits := strings.Repeat("z", MaxLine)
	k, sum, complaints := importText(t, "a.log", long+"\n"+visits(1)[0]+"\n"+fits+"\n"+long, Options{})
	require.Equal(t, FileSummary{Lines: 4, Sent: 1, Malformed: 1, TooLong: 2}, sum.FileSummary)
	require.Len(t, k.records, 2)
	require.Contains(t, complaints, "a.log:1:")
	require.Contains(t, complaints, "a.log:4:")
}

func TestStandardInput(t *testing.T) {
	k := new(kept)
	sum, err := Run(t.Context(), Options{Files: []string{"-"}, Stdin: strings.NewReader(visits(1)[0]), Sender: k})
	require.NoError(t, err)
	require.EqualValues(t, 1, sum.Sent)
	require.Equal(t, "stdin", k.records[0].Source)
}

func TestAFolderOrAMissingFileIsOneSentence(t *testing.T) {
	dir := t.TempDir()
	_, err := Run(t.Context(), Options{Files: []string{dir}, Sender: new(kept)})
	require.EqualError(t, err, dir+" is a folder: name the files in it")
	_, err = Run(t.Context(), Options{Files: []string{dir + "/none"}, Sender: new(kept)})
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestASenderThatFailsStopsTheImport(t *testing.T) {
	k := &kept{fail: errors.New("disk full")}
	_, err := Run(t.Context(), Options{Files: []string{"-"}, Stdin: strings.NewReader(strings.Join(visits(3), "\n")), Sender: k})
	require.EqualError(t, err, "-:1: disk full")
	require.Len(t, k.records, 1)
}

func TestAStoppedImportSaysHowToGoOn(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Run(ctx, Options{Files: []string{"-"}, Stdin: strings.NewReader("x"), Sender: new(kept)})
	require.ErrorContains(t, err, "run the same import again")
}

func TestEventsKeepWhatTheyHave(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	cases := []struct{ name, line, want string }{
		{
			"complete: untouched",
			`{"type":"track","event":"Order Completed","messageId":"m","anonymousId":"a","timestamp":"2020-01-01T00:00:00Z","receivedAt":"2020-01-01T00:00:01Z","source":"web","custom":{"x":[1,2.50]}}`,
			`{"type":"track","event":"Order Completed","messageId":"m","anonymousId":"a","timestamp":"2020-01-01T00:00:00Z","receivedAt":"2020-01-01T00:00:01Z","source":"web","custom":{"x":[1,2.50]}}`,
		},
		{
			"no arrival, no source",
			`{"type":"page","messageId":"m","userId":7,"timestamp":"2020-01-01T00:00:00Z"}`,
			`{"type":"page","messageId":"m","userId":7,"timestamp":"2020-01-01T00:00:00Z","receivedAt":"2026-03-01T12:00:00.000Z","source":"e.ndjson"}`,
		},
		{
			"the device's time is all there is",
			`{"type":"page","messageId":"m","userId":"u","originalTimestamp":"2020-01-01T00:00:00Z","sentAt":"2020-01-01T00:00:02Z"}`,
			`{"type":"page","messageId":"m","userId":"u","originalTimestamp":"2020-01-01T00:00:00Z","sentAt":"2020-01-01T00:00:02Z","timestamp":"2020-01-01T00:00:00Z","receivedAt":"2026-03-01T12:00:00.000Z","source":"e.ndjson"}`,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			k, sum, complaints := importText(t, "e.ndjson", c.line, Options{Now: func() time.Time { return now }})
			require.Empty(t, complaints)
			require.EqualValues(t, 1, sum.Sent)
			require.JSONEq(t, c.want, string(k.records[0].Value))
		})
	}
}

func TestEventsWithoutIDGetOneFromTheLine(t *testing.T) {
	line := `{"type":"page","messageId":null,"anonymousId":"a","timestamp":"2020-01-01T00:00:00Z"}`
	k, _, _ := importText(t, "e.ndjson", line+"\n"+line+"\n", Options{})
	again, _, _ := importText(t, "other.ndjson", line+"\n"+line+"\n", Options{})
	ids := k.ids()
	require.Len(t, ids[0], 32)
	require.NotEqual(t, ids[0], ids[1])
	require.Equal(t, ids, again.ids())
	require.Equal(t, 1, strings.Count(string(k.records[0].Value), `"messageId"`), "the null is gone: two members of one name would be read differently")
}

func TestTheKeyIsThePrimaryIdentifier(t *testing.T) {
	cases := []struct{ line, key string }{
		{`{"type":"page","anonymousId":"a","userId":"u"}`, "a"},
		{`{"type":"page","anonymousId":"undefined","userId":"u"}`, "u"},
		{`{"type":"page","externalIds":[{"type":"loyalty","id":"L1"}]}`, "L1"},
	}
	for _, c := range cases {
		k, _, complaints := importText(t, "e.ndjson", c.line, Options{})
		require.Empty(t, complaints)
		require.Equal(t, c.key, string(k.records[0].Key))
	}
}

func TestBrokenEventsNameTheirPlace(t *testing.T) {
	text := strings.Join([]string{
		`{"type":"page","anonymousId":"a"}`,
		`{"type":"page",,}`,
		`[1]`,
		`{"type":"page","anonymousId":"a","timestamp":"yesterday"}`,
		`{"type":"page"}`,
		"{\"type\":\"page\",\"anonymousId\":\"\xff\"}",
	}, "\n")
	k, sum, complaints := importText(t, "e.ndjson", text, Options{Format: Auto})
	require.EqualValues(t, 1, sum.Sent)
	require.EqualValues(t, 5, sum.Malformed)
	got := strings.Split(strings.TrimSpace(complaints), "\n")
	require.Len(t, got, 5)
	for i, want := range []string{
		"e.ndjson:2:16: invalid character ','", "e.ndjson:3:1: want a JSON object", `e.ndjson:4:34: /timestamp: "yesterday" is not`,
		"e.ndjson:5:1: no usable anonymousId", "e.ndjson:6:31: not valid UTF-8",
	} {
		require.Contains(t, got[i], want)
	}
	require.Equal(t, `{"type":"page",,}`, string(k.records[1].Value)) //nolint:testifylint // it is no JSON
}

func TestFormatIsToldByTheFirstLine(t *testing.T) {
	for text, want := range map[string]Format{
		"\n \n {\"a\":1}\n":                 NDJSON,
		visits(1)[0]:                        AccessLog,
		"":                                  AccessLog,
		"\ufeff{\"type\":1}":                NDJSON,
		strings.Repeat("\n", 200<<10) + "{": AccessLog, // nobody looks that far
	} {
		r, err := openLines("-", strings.NewReader(text), nil)
		require.NoError(t, err)
		require.Equal(t, want, r.format(), "%.20q", text)
	}
}

func TestAFileOfAnotherKindIsNotSent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notes.txt")
	require.NoError(t, os.WriteFile(path, []byte("# Notes\n\nSome text.\nMore of it.\n"), 0o600))
	var k kept
	_, err := Run(t.Context(), Options{Files: []string{path}, Sender: &k})
	require.ErrorContains(t, err, "is neither an access log nor a file with one JSON event a line")
	require.Empty(t, k.records)
}

func TestAByteOrderMarkIsNoPartOfTheFirstLine(t *testing.T) {
	_, sum, complaints := importText(t, "e.ndjson", "\ufeff"+`{"type":"page","anonymousId":"a"}`, Options{})
	require.Empty(t, complaints)
	require.EqualValues(t, 1, sum.Sent)
}
