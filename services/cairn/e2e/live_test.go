//go:build linux

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

// sendLive sends n touchpoints of as many visitors through the collector, as
// an SDK does, and returns once they are acknowledged.
func (m *machine) sendLive(n int) {
	m.t.Helper()
	const perBatch = 50
	for from := 0; from < n; from += perBatch {
		var events []string
		for i := from; i < min(from+perBatch, n); i++ {
			now := time.Now().UTC().Format(time.RFC3339Nano)
			events = append(events, fmt.Sprintf(
				`{"type":"page","messageId":"live-%d","anonymousId":"visitor-%d","timestamp":"%s","context":{"page":{"url":"https://shop.example/"}}}`, i, i, now))
		}
		m.post(fmt.Sprintf(`{"batch":[%s],"sentAt":"%s"}`, strings.Join(events, ","), time.Now().UTC().Format(time.RFC3339Nano)))
	}
}

// post sends a batch, which must be acknowledged.
func (m *machine) post(body string) {
	m.t.Helper()
	req, err := http.NewRequestWithContext(m.t.Context(), http.MethodPost, m.Collector+"/v1/batch", strings.NewReader(body))
	require.NoError(m.t, err)
	req.SetBasicAuth(m.WriteKey, "")
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(m.t, err)
	defer func() { _ = resp.Body.Close() }()
	said, err := io.ReadAll(resp.Body)
	require.NoError(m.t, err)
	require.Equal(m.t, http.StatusOK, resp.StatusCode, "%s", said)
}
