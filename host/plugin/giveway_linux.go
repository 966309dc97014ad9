package plugin

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// giveWay makes a process, or this one's thread if it is 0, run when a processor
// would be idle, and hardly otherwise (sched(7)). Niceness does not do: one that
// is busy in bursts, as a host is, was seen to lose a fifth to a process of 19.
func giveWay(process int) error {
	return unix.SchedSetAttr(process, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}, 0)
}

// bound is what ends a process with this thread.
func bound() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
