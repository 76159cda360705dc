package collector_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/services/collector"
)

// lists says that the document has an answer of that status for the operation.
func (op *operation) lists(status int) bool {
	return op.spec["responses"].(map[string]any)[strconv.Itoa(status)] != nil
}

// address is the operation's path, with what it needs.
func (op *operation) address(status int) string {
	path := strings.NewReplacer("{version}", "tp2", "{source}", "till").Replace(op.path)
	if op.method == http.MethodPost {
		return path
	}
	query := url.Values{"userId": {"u-1"}, "event": {"E"}, "uid": {"u-1"}, "e": {"pv"}, "data": {one(op.path)}}
	if status == http.StatusRequestEntityTooLarge { // more than the header of a request could hold
		query.Set("data", base64.StdEncoding.EncodeToString([]byte(zipped(one(op.path)+strings.Repeat(" ", 64<<10)))))
		query.Set("name", strings.Repeat("n", 4<<10))
	}
	return path + "?" + query.Encode()
}

// TestOpenAPIListsTheAnswersOfBadTimes: the answers of a collector in trouble, and
// of rules. Each is given by all operations that list it, and by no other one:
// what is answered is always listed.
func TestOpenAPIListsTheAnswersOfBadTimes(t *testing.T) {
	o := loadOpenAPI(t)
	large := strings.Repeat(" ", 64<<10)
	closed := newKeysFile(t, "  - {source: shop, origins: [\"https://shop.example\"]}\n")
	for status, change := range map[int]func(*collector.Options){
		http.StatusForbidden: closed.use,
		http.StatusTooManyRequests: func(o *collector.Options) {
			o.EventsPerSecond, o.MaxEvents, o.ImportTimeout = 0.001, 1, 50*time.Millisecond
		},
		http.StatusRequestEntityTooLarge: func(o *collector.Options) {
			o.MaxEventBytes, o.MaxBatchBytes, o.MaxImportBytes = 2<<10, 40<<10, 40<<10
		},
		http.StatusServiceUnavailable: func(o *collector.Options) { o.ProduceTimeout = time.Second },
	} {
		r := openAPIRig(t, change)
		if status == http.StatusServiceUnavailable {
			r.kafka.Close()
			r.exchange(http.MethodPost, "/v1/track", one(""), "Authorization", asShop())
			require.Eventually(t, func() bool { return r.service.Ready() != nil }, bound, 5*time.Millisecond, "Kafka's absence is not noticed")
		}
		for _, op := range o.operations() {
			body := ""
			if op.method == http.MethodPost {
				body = one(op.path)
				if status == http.StatusRequestEntityTooLarge {
					body += large
				}
			}
			headers := []string{"Authorization", asShop(), "Content-Type", "application/json"}
			if status == http.StatusForbidden {
				headers = append(headers, "Origin", "https://elsewhere.example")
			}
			got := 0
			for range 3 { // the first may still be allowed
				res, answer := r.exchange(op.method, op.address(status), body, headers...)
				if got = o.answered(&op, res, answer, op.address(status)); got == status {
					break
				}
			}
			if op.lists(status) {
				require.Equal(t, status, got, "%s %s", op.method, op.path)
			}
		}
	}
}

// TestOpenAPIListsTheAnswerToSlowClients: a body that does not come.
func TestOpenAPIListsTheAnswerToSlowClients(t *testing.T) {
	o := loadOpenAPI(t)
	r := openAPIRig(t, func(o *collector.Options) { o.ReadTimeout = 300 * time.Millisecond })
	operations := o.operations()
	type outcome struct {
		res  exchanged
		body string
		err  error
	}
	outcomes := make([]outcome, len(operations))
	never, in := io.Pipe()
	defer func() { _ = in.Close() }()
	var all sync.WaitGroup
	for i, op := range operations {
		if !op.lists(http.StatusRequestTimeout) {
			continue
		}
		req, err := http.NewRequestWithContext(t.Context(), op.method, r.url+op.address(0), io.MultiReader(strings.NewReader("{"), never))
		require.NoError(t, err)
		req.Header.Set("Authorization", asShop())
		req.ContentLength = 100
		all.Go(func() {
			out := &outcomes[i]
			res, err := r.client.Do(req)
			if err != nil {
				out.err = err
				return
			}
			defer func() { _ = res.Body.Close() }()
			text, err := io.ReadAll(res.Body)
			*out = outcome{exchanged{res.StatusCode, res.Header}, string(text), err}
		})
	}
	all.Wait()
	slow := 0
	for i, op := range operations {
		if out := outcomes[i]; op.lists(http.StatusRequestTimeout) {
			require.NoError(t, out.err, op.path)
			require.Equal(t, http.StatusRequestTimeout, o.answered(&op, out.res, out.body, "half a body"), op.path)
			slow++
		}
	}
	require.Greater(t, slow, 20, "every door reads bodies")
}
