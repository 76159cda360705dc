package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/services/collector"
)

func TestKeyNew(t *testing.T) {
	t.Chdir(t.TempDir())
	code, out, _ := run(t, nil, "key", "new", "--source", "shop", "--output", "json")
	require.Equal(t, 0, code)
	var got struct{ Key, Hash, Source string }
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	require.Len(t, got.Key, 48)
	require.Equal(t, collector.HashKey(got.Key), got.Hash)
	require.Equal(t, "shop", got.Source)
	_, again, _ := run(t, nil, "key", "new", "--source", "shop", "--output", "json")
	require.NotEqual(t, out, again)

	code, _, stderr := run(t, nil, "key", "new", "--source", "a:b")
	require.Equal(t, 2, code)
	require.Contains(t, stderr, "--source")

	// What it prints is what config check takes.
	_, text, _ := run(t, nil, "key", "new", "--source", "shop")
	_, file, _ := strings.Cut(text, "collector.keys_file:\n")
	file, line, _ := strings.Cut(file, "or in collector.write_keys:\n")
	path := filepath.Join(t.TempDir(), "keys.yaml")
	require.NoError(t, os.WriteFile(path, []byte(file), 0o600))
	env := map[string]string{"CAIRN_COLLECTOR_KEYS_FILE": path, "CAIRN_COLLECTOR_WRITE_KEYS": strings.TrimSpace(line)}
	code, _, stderr = run(t, env, "config", "check")
	require.Equal(t, 0, code, stderr)
	require.NoError(t, os.WriteFile(path, []byte(strings.Replace(file, "sha256:", "sha1:", 1)), 0o600))
	code, _, stderr = run(t, env, "config", "check")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "keys: entry 1 is no hash")
}
