//go:build unix && !linux

package plugin

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// giveWay makes a process, or this one if it is 0, the last to run.
func giveWay(process int) error { return unix.Setpriority(unix.PRIO_PROCESS, process, 19) }

// bound is nothing: the system has no such thing.
func bound() *syscall.SysProcAttr { return nil }
