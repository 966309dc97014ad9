package config

import (
	"fmt"
	"strings"
)

// Fault is one thing wrong with a configuration.
type Fault struct {
	// File is the configuration file, and Line the line at fault, from 1; 0 if
	// the file could not be read.
	File string
	Line int
	// Key is the path of the key, as pipeline.producer.port; with several
	// pipelines pipeline[name].producer.port, or pipeline[#2] for the second if
	// its name cannot tell. Empty for the file as a whole.
	Key     string
	Problem string
	// Hint says what to do about it; may be empty.
	Hint string
	// Err is the cause, if it is another error.
	Err error
}

// Error is "file:line: key: problem" and, on a line of its own, the hint.
func (f Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d", f.Line)
	}
	if f.Key != "" {
		b.WriteString(": " + f.Key)
	}
	b.WriteString(": " + f.Problem)
	if f.Hint != "" {
		b.WriteString("\nhint: " + f.Hint)
	}
	return b.String()
}

// Unwrap returns the cause.
func (f Fault) Unwrap() error { return f.Err }

// Faults is everything wrong with a configuration, in the file's order; at
// least one, and at most 100, of which the last then says how many were left
// out.
type Faults []Fault

// Error is the faults, one after the other.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i := range f {
		lines[i] = f[i].Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the faults as errors.
func (f Faults) Unwrap() []error {
	errs := make([]error, len(f))
	for i := range f {
		errs[i] = f[i]
	}
	return errs
}
