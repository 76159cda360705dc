package local

import (
	"os/exec"
	"syscall"
)

// setDeathSignal has the kernel kill the child when the thread that started it ends. The child gets a process
// group of its own, so that a ctrl-C in the terminal reaches us alone and we stop it in order.
func setDeathSignal(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
