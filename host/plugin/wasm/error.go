package wasm

import (
	"errors"
	"fmt"
)

// The conditions that an [Error] wraps.
var (
	// ErrNotModule: the bytes do not begin as a WebAssembly file does.
	ErrNotModule = errors.New("not a WebAssembly module")
	// ErrComponent: a component, which is WebAssembly but not a core module.
	ErrComponent = errors.New("a WebAssembly component, not a core module")
	// ErrMalformed: the bytes break the binary format.
	ErrMalformed = errors.New("malformed module")
	// ErrTruncated: the bytes end too early, an [ErrMalformed].
	ErrTruncated = fmt.Errorf("%w: cut off", ErrMalformed)
	// ErrUnsupported: the module uses a feature that this package does not read.
	ErrUnsupported = errors.New("unsupported WebAssembly feature")
)

// Error says what is wrong with a module, and where.
type Error struct {
	Offset int    // in bytes from the beginning of the file
	What   string // for people
	Err    error  // one of the sentinels
}

func (e *Error) Error() string {
	return fmt.Sprintf("%v: %s at byte %d", e.Err, e.What, e.Offset)
}

func (e *Error) Unwrap() error { return e.Err }
