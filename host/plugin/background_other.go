//go:build !unix

package plugin

import (
	"os/exec"
	"runtime"
	"time"
)

// politely leaves all processors but one to others.
func politely(time.Duration) error {
	runtime.GOMAXPROCS(1)
	return nil
}

func giveWay(int) error { return nil }

func outOfTime(*exec.ExitError) bool { return false }
