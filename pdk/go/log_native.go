//go:build !wasip1

package relay

import (
	"io"
	"os"
	"sync"
)

var logOutput = struct {
	sync.Mutex
	w io.Writer
}{w: os.Stderr}

// LogTo sends the log of a natively running plugin to w, and returns what it
// was sent to before. A plugin in a host always logs there.
func LogTo(w io.Writer) io.Writer {
	logOutput.Lock()
	defer logOutput.Unlock()
	before := logOutput.w
	logOutput.w = w
	return before
}

// writeLog writes a line such as "info: read 3 items". It is written for
// people, and so a failure to write it is nobody's to handle.
func writeLog(level int32, line string) {
	logOutput.Lock()
	defer logOutput.Unlock()
	name := [...]string{"debug", "info", "warn", "error"}[level]
	_, _ = io.WriteString(logOutput.w, name+": "+line+"\n")
}
