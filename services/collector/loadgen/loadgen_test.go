package loadgen_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/services/collector/loadgen"
)

func TestRunSendsBatchesAndCountsAnswers(t *testing.T) {
	var mu sync.Mutex
	ids := map[string]int{}
	size, requests := 0, 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var sent struct{ Batch []json.RawMessage }
		key, _, _ := r.BasicAuth()
		if json.Unmarshal(body, &sent) != nil || r.URL.Path != "/v1/batch" || key != "k" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		requests++
		for _, raw := range sent.Batch {
			var e struct{ MessageID, AnonymousID string }
			_ = json.Unmarshal(raw, &e)
			ids[e.MessageID]++
			size += len(raw)
		}
	}))
	defer server.Close()
	got, err := loadgen.Run(t.Context(), loadgen.Options{
		URL: server.URL, WriteKey: "k", Connections: 3, BatchEvents: 5, Events: 600, WarmUp: -1, Duration: time.Minute,
	})
	require.NoError(t, err)
	server.Close() // waits for the requests that were in flight when the load ended
	require.GreaterOrEqual(t, got.Events, int64(600))
	require.Equal(t, got.Events, int64(got.Requests)*5)
	require.LessOrEqual(t, got.Requests, requests)
	require.Len(t, ids, 5*requests, "every event has a messageId of its own")
	require.Positive(t, got.EventsPerSecond)
	require.LessOrEqual(t, got.P50, got.P99)
	require.InDelta(t, 700, float64(size)/float64(len(ids)), 60)
	var line map[string]any
	require.NoError(t, json.Unmarshal([]byte(got.String()), &line))
	require.Contains(t, line, "p99_ms")
}

func TestRunSaysWhatTheCollectorSaid(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no such key", http.StatusUnauthorized)
	}))
	defer server.Close()
	_, err := loadgen.Run(t.Context(), loadgen.Options{URL: server.URL, WriteKey: "k"})
	require.ErrorContains(t, err, "401")
	require.ErrorContains(t, err, "no such key")
	_, err = loadgen.Run(t.Context(), loadgen.Options{URL: "127.0.0.1:1", WriteKey: "k"})
	require.ErrorContains(t, err, "not like http://host:port")
	_, err = loadgen.Run(t.Context(), loadgen.Options{URL: server.URL})
	require.ErrorContains(t, err, "write key is missing")
}
