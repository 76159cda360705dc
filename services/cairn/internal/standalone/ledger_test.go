package standalone

import (
	"os"
	"path/filepath"
	"testing"
)

func TestLedgerSurvivesAFullDisk(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "epoch.json")
	if err := os.WriteFile(path, []byte(`{"epoch":7,"rebuilding":false}`), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := openLedger(dir)
	if err != nil {
		t.Fatal(err)
	}
	_ = os.Symlink("/dev/full", path+".new") // writes fail with ENOSPC
	l.Epoch++
	t.Log("save:", l.save())
	if fi, _ := os.Lstat(path); fi.Mode()&os.ModeSymlink != 0 {
		t.Error("the good ledger was replaced by the file that could not be written")
	}
}
