package cli

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/app"
)

func TestConfigCheckReadsTheTrackingPlan(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("good.yaml", []byte("version: 1\nevents:\n  Order Completed: {properties: {revenue: {type: number, required: true}}}\n"), 0o600))
	require.NoError(t, os.WriteFile("bad.yaml", []byte("version: 1\nevents:\n  Order Completed: {properties: {revenue: {type: decimal}}}\nevnts: {}\n"), 0o600))
	code, out, errs := run(t, nil, "config", "check", "--plan", "good.yaml")
	require.Zero(t, code, errs)
	require.Contains(t, out, "tracking plan of 1 events")
	code, _, errs = run(t, map[string]string{"CAIRN_PLAN": "bad.yaml"}, "config", "check")
	require.Equal(t, app.ExitFailure, code)
	require.Contains(t, errs, "bad.yaml:3:50: value must be one of 'string'")
	require.Contains(t, errs, `bad.yaml:4:1: unknown key "evnts"`)
	code, _, errs = run(t, map[string]string{"CAIRN_PLAN": "bad.yaml", "CAIRN_IDENTITY_SECRET": "x"}, "sessionizer", "--data", t.TempDir())
	require.Equal(t, app.ExitFailure, code)
	require.Contains(t, errs, "bad.yaml:3:50", "a sessionizer does not start under a plan that it cannot read")
}
