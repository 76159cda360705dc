package snowplow_test

import (
	"encoding/json"
	"net/url"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/services/collector/internal/door"
)

// FuzzDecode looks for requests that crash the decoder, or get a record out of
// it that is no touchpoint or names nobody.
func FuzzDecode(f *testing.F) {
	f.Add(`{"data":[{"e":"se","se_ac":"a","se_va":"2","p":"pc","uid":"u","eid":"i","dtm":"1795420759763","stm":"1795420759000"}]}`, "", true)
	f.Add(`{"data":[{"e":"ue","duid":"d","ue_px":"eyJkYXRhIjp7fX0","co":{"data":[1]}}]}`, "sp="+network, true)
	f.Add(`e=pv&duid=d&dtm=1795420772737&url=http%3A%2F%2Fa%3Futm_source%3D%FF&res=1x2&ip=::1`, "", false)
	f.Add(`e=tr&tr_tt=1e5&tr_id=o&uid=0&sid=s&eid=x`, "sp=0", false)
	f.Fuzz(func(t *testing.T, text, cookie string, post bool) {
		in := input(text, "Cookie", cookie, "User-Agent", chrome)
		if !post {
			query, err := url.ParseQuery(text)
			if err != nil {
				return
			}
			in = get("/i", "Cookie", cookie)
			in.Query = query
		}
		out, rej := run(t, in)
		if rej != nil {
			require.NotEmpty(t, rej.Code)
			require.NotEmpty(t, rej.Message)
			return
		}
		if post && !json.Valid([]byte(text)) {
			t.Fatalf("not JSON and not refused: %q", text)
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
			require.NotEmpty(t, m.value["messageId"])
			require.LessOrEqual(t, utf8.RuneCountInString(m.value["messageId"].(string)), door.MaxMessageID)
		}
	})
}
