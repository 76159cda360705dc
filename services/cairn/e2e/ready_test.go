//go:build linux

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"testing"
)

// ready waits until the admin server at addr says so.
func ready(t *testing.T, p *child, addr string) {
	t.Helper()
	eventually(t, "readiness of "+p.name, func(ctx context.Context) error {
		if p.ended() {
			t.Fatalf("%s has ended with %d:\n%s", p.name, p.wait(), p.stderr.tail(3000))
		}
		status, body, err := get(ctx, "http://"+addr+"/readyz")
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("%d %s", status, body)
		}
		return err
	})
}
