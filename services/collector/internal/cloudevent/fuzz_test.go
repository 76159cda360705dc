package cloudevent_test

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/services/collector/internal/door"
)

// FuzzDecode looks for requests that crash the decoder, or get a record out of
// it that is no touchpoint or names nobody.
func FuzzDecode(f *testing.F) {
	for _, name := range []string{"binary-json", "binary-text", "structured-json", "batch"} {
		in := recorded(f, name)
		f.Add(string(in.Body), in.Header.Get("Ce-Id"), in.Header.Get("Ce-Subject"), in.Header.Get("Content-Type"))
	}
	f.Add(`{"a":`, `"%41\"`, "user:%ff", "a/b+json;x")
	f.Add(event(`,"data_base64":"/w==","partitionkey":"user: 0"`), "", "", "")
	f.Fuzz(func(t *testing.T, body, id, subject, contentType string) {
		headers := []string{"Content-Type", contentType}
		if id != "" {
			headers = append(headers, "Ce-Specversion", "1.0", "Ce-Id", id, "Ce-Source", "s", "Ce-Type", "a.b", "Ce-Subject", subject)
		}
		out, rej := run(t, input(body, headers...))
		if rej != nil {
			require.NotEmpty(t, rej.Code)
			require.NotEmpty(t, rej.Message)
			return
		}
		if id == "" && !json.Valid([]byte(body)) {
			t.Fatalf("not JSON and not refused: %q", body)
		}
		for i := range out {
			m := &out[i]
			if m.reject != nil {
				require.Empty(t, m.key)
				require.NotEmpty(t, m.reject.Code)
				continue
			}
			require.True(t, utf8.ValidString(m.raw) && utf8.ValidString(m.key))
			require.False(t, journey.Blocked(m.key))
			require.LessOrEqual(t, utf8.RuneCountInString(m.value["messageId"].(string)), door.MaxMessageID)
		}
	})
}
