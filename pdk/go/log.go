package relay

import "github.com/relayhost/relayhost/abi"

// Log writes to the host's log, or to standard error where there is no host.
var Log Logger

// Logger writes lines to the host's log. A line is UTF-8 text; the host escapes
// control characters, cuts a line at 8 KiB, and may limit their rate.
type Logger struct{}

// Debug logs a line of level debug.
func (Logger) Debug(line string) { writeLog(abi.LogDebug, line) }

// Info logs a line of level info.
func (Logger) Info(line string) { writeLog(abi.LogInfo, line) }

// Warn logs a line of level warn.
func (Logger) Warn(line string) { writeLog(abi.LogWarn, line) }

// Error logs a line of level error.
func (Logger) Error(line string) { writeLog(abi.LogError, line) }
