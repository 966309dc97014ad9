//go:build !unix

package plugin

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// politely leaves all processors but one to others.
func politely(time.Duration) error {
	runtime.GOMAXPROCS(1)
	return nil
}

func giveWay(int) error { return nil }

func outOfTime(*exec.ExitError) bool { return false }

func bound() *syscall.SysProcAttr { return nil }

func halt(*os.Process)   {}
func resume(*os.Process) {}
