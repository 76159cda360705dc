package local_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/local"
)

func TestLockFolderWaitsForItsHolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made")
	first, err := local.LockFolder(t.Context(), dir)
	require.NoError(t, err)

	done, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = local.LockFolder(done, dir)
	require.EqualError(t, err, "the data folder "+dir+" is in use by another process: stop that one, or choose another folder")

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	got := make(chan error, 1)
	go func() {
		second, err := local.LockFolder(ctx, dir)
		if err == nil {
			second.Unlock()
		}
		got <- err
	}()
	first.Unlock()
	require.NoError(t, <-got)
}

func TestInstanceIDStays(t *testing.T) {
	dir := t.TempDir()
	id, err := local.InstanceID(dir)
	require.NoError(t, err)
	again, err := local.InstanceID(dir)
	require.NoError(t, err)
	require.Equal(t, id, again)
	other, err := local.InstanceID(t.TempDir())
	require.NoError(t, err)
	require.NotEqual(t, id, other)

	require.NoError(t, os.WriteFile(filepath.Join(dir, "instance-id"), []byte("half a uu"), 0o600))
	_, err = local.InstanceID(dir)
	require.ErrorContains(t, err, "holds no UUID")
}

func TestSecretIsKeptFromOthers(t *testing.T) {
	dir := t.TempDir()
	key, err := local.Secret(dir, "write-key")
	require.NoError(t, err)
	require.Len(t, key, 64)
	again, err := local.Secret(dir, "write-key")
	require.NoError(t, err)
	require.Equal(t, key, again)
	hmac, err := local.Secret(dir, "hmac")
	require.NoError(t, err)
	require.NotEqual(t, key, hmac)

	path := filepath.Join(dir, "secrets", "write-key")
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.NoError(t, os.Chmod(path, 0o644))
	_, err = local.Secret(dir, "write-key")
	require.ErrorContains(t, err, "can be read by others")

	require.NoError(t, os.WriteFile(filepath.Join(dir, "secrets", "hmac"), nil, 0o600))
	_, err = local.Secret(dir, "hmac")
	require.ErrorContains(t, err, "is empty")
}
