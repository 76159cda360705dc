package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sort"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairnhq/cairn/pkg/telemetry"
)

func newHealthcheck() *cobra.Command {
	var timeout time.Duration
	cmd := &cobra.Command{
		Use: "healthcheck", Short: "Ask a service whether it is ready", Args: exactly(0, ""),
		Long: `Healthcheck asks /readyz of a service and exits 0 if it is ready, else 1 with what is
missing. For containers, whose images hold no other client.`,
		Example: "  cairn healthcheck --url http://127.0.0.1:9101/readyz",
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			return healthcheck(ctx, cmd.Flag("url").Value.String())
		},
	}
	cmd.Flags().String("url", "http://127.0.0.1:9100/readyz", "what to ask")
	cmd.Flags().DurationVar(&timeout, "timeout", 5*time.Second, "how long to wait for the answer")
	return cmd
}

func healthcheck(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("--url: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return shorten(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	var r telemetry.Report
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // only for the message
	if json.Unmarshal(body, &r) != nil || len(r.Missing) == 0 {
		return fmt.Errorf("%s answers %s", url, resp.Status)
	}
	var errs []error
	for part, why := range r.Missing {
		errs = append(errs, fmt.Errorf("%s: %s", part, why))
	}
	sort.Slice(errs, func(i, j int) bool { return errs[i].Error() < errs[j].Error() })
	return errors.Join(errs...)
}
