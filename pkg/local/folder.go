package local

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/uuid"
)

const lockName = ".lock"

// Lock holds a folder for this process until Unlock, or until the process ends.
type Lock struct{ file *flock.Flock }

// Unlock gives the folder back. The lock file stays: removing it would let two processes hold different files.
func (l *Lock) Unlock() {
	_ = l.file.Unlock() // ends with the process at the latest
}

// LockFolder makes the folder if it is missing and takes it for this process. While another process holds it,
// it waits until ctx is done, and then says so in one sentence.
func LockFolder(ctx context.Context, dir string) (*Lock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	file := flock.New(filepath.Join(dir, lockName), flock.SetPermissions(0o600))
	ok, err := file.TryLock()
	if err == nil && !ok {
		ok, err = file.TryLockContext(ctx, 50*time.Millisecond)
	}
	if err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
		return nil, fmt.Errorf("lock the data folder %s: %w", dir, err)
	}
	if !ok {
		return nil, fmt.Errorf("the data folder %s is in use by another process: stop that one, or choose another folder", dir)
	}
	return &Lock{file: file}, nil
}

// InstanceID is the UUID of this data folder, made at the first call and the same ever after. The caller holds
// the folder's lock.
func InstanceID(dir string) (string, error) {
	path := filepath.Join(dir, "instance-id")
	id, err := keep(path, func() (string, error) { return uuid.NewString(), nil })
	if err != nil {
		return "", err
	}
	if _, err := uuid.Parse(id); err != nil {
		return "", fmt.Errorf("%s holds no UUID: remove the file and a new one is made: %w", path, err)
	}
	return id, nil
}

// Secret is the secret of that name kept in this data folder: 64 hexadecimal digits from the system's random
// source, made at the first call, in a file that only the owner reads. The caller holds the folder's lock.
func Secret(dir, name string) (string, error) {
	path := filepath.Join(dir, "secrets", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("make the folder for secrets: %w", err)
	}
	secret, err := keep(path, func() (string, error) {
		raw := make([]byte, 32)
		_, err := rand.Read(raw)
		return hex.EncodeToString(raw), err
	})
	if err != nil {
		return "", err
	}
	if secret == "" {
		return "", fmt.Errorf("%s is empty: remove the file and a new secret is made", path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("%s can be read by others: run \"chmod 600\" on it", path)
	}
	return secret, nil
}

// keep reads a small file, or writes it with what fill returns. The file appears whole or not at all.
func keep(path string, fill func() (string, error)) (string, error) {
	b, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(b)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	value, err := fill()
	if err != nil {
		return "", fmt.Errorf("make %s: %w", path, err)
	}
	if err := os.WriteFile(path+".part", []byte(value+"\n"), 0o600); err != nil {
		return "", err
	}
	return value, os.Rename(path+".part", path)
}
