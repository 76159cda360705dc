//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/stretchr/testify/require"
)

// admin is the address of a service's admin server, as it logs it at its start.
func (p *child) admin() string {
	p.t.Helper()
	var line struct {
		Msg   string `json:"msg"`
		Admin string `json:"admin"`
	}
	eventually(p.t, "the first line of "+p.name, func(context.Context) error {
		if p.ended() {
			p.t.Fatalf("%s has ended with %d:\n%s", p.name, p.wait(), p.stderr.tail(3000))
		}
		first, _, whole := strings.Cut(p.stderr.String(), "\n")
		if !whole {
			return errors.New("nothing on standard error")
		}
		return json.Unmarshal([]byte(first), &line)
	})
	require.Equal(p.t, "starting", line.Msg)
	return line.Admin
}

// ready waits until the service's admin server says so.
func (p *child) ready() {
	p.t.Helper()
	addr := p.admin()
	eventually(p.t, "readiness of "+p.name, func(ctx context.Context) error {
		if p.ended() {
			p.t.Fatalf("%s has ended with %d:\n%s", p.name, p.wait(), p.stderr.tail(3000))
		}
		status, body, err := get(ctx, "http://"+addr+"/readyz")
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("%d %s", status, body)
		}
		return err
	})
}
