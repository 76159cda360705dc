package cli

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// The files of enrichment are read when the configuration is checked, and a mistake
// in one is told with its place.
func TestConfigCheckReadsTheFilesOfEnrichment(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("cairn.yaml", []byte("enrich: {channel_groups: groups.yaml}\n"), 0o600))
	code, _, stderr := run(t, nil, "config", "check")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "groups.yaml")

	require.NoError(t, os.WriteFile("groups.yaml", []byte("- {group: A, medium: cpc}\n- {group: B, meduim: x}\n"), 0o600))
	code, _, stderr = run(t, nil, "config", "check")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "groups.yaml:2:14")

	require.NoError(t, os.WriteFile("groups.yaml", []byte("- {group: A, medium: cpc}\n"), 0o600))
	code, stdout, stderr := run(t, nil, "config", "check")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "the configuration is fine")
	code, _, stderr = run(t, map[string]string{"CAIRN_ENRICH_GEO": "no.mmdb"}, "config", "check")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "no.mmdb")
}
