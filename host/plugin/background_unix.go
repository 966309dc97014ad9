//go:build unix

package plugin

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// politely makes the process one that gives way, and whose time is limited. It
// begins anew for that: on Linux the threads that are there would stay as they
// are.
func politely(limit time.Duration) error {
	runtime.LockOSThread()
	if err := giveWay(0); err != nil {
		return fmt.Errorf("give way: %w", err)
	}
	seconds := uint64(limit.Seconds()+1) * uint64(runtime.NumCPU()) //nolint:gosec // a day at most
	if err := unix.Setrlimit(unix.RLIMIT_CPU, &unix.Rlimit{Cur: seconds, Max: seconds}); err != nil {
		return fmt.Errorf("limit the time: %w", err)
	}
	return syscall.Exec(self(), os.Args, append(os.Environ(), envPolite+"=1")) //nolint:gosec // ourselves
}

// outOfTime reports whether a process has used up its time.
func outOfTime(e *exec.ExitError) bool {
	status, ok := e.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && (status.Signal() == syscall.SIGXCPU || status.Signal() == syscall.SIGKILL)
}

// halt has a process stand still until resume, if it has not ended.
func halt(p *os.Process)   { _ = p.Signal(syscall.SIGSTOP) }
func resume(p *os.Process) { _ = p.Signal(syscall.SIGCONT) }
