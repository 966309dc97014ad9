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

// niceness leaves a busy process more than nine tenths of each processor: its
// weight is 56, and an ordinary one's 1024 (sched(7)).
const niceness = 13

// giveWay makes a process that has just begun give way, until it does so by itself.
func giveWay(process int) {
	_ = unix.Setpriority(unix.PRIO_PROCESS, process, niceness) // it may have ended
}

// politely makes the process one that gives way, and whose time is limited. It
// begins anew for that: on Linux the threads that are there would stay as they
// are.
func politely(limit time.Duration) error {
	runtime.LockOSThread()
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, niceness); err != nil {
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
