//go:build !linux

package local

import (
	"os/exec"
	"syscall"
)

// setDeathSignal gives the child a process group of its own. Only Linux can tie a child's life to its parent's.
func setDeathSignal(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}
