//go:build wasip1

package guest

import (
	"unsafe"

	"github.com/relayhost/relayhost/abi"
)

var (
	// input is the buffer that the host writes to. The variable keeps it
	// alive; Go does not move it.
	input   []byte
	started bool
)

//go:wasmexport relay_abi_v1
func relayABI() {}

//go:wasmexport relay_buffer
func relayBuffer(size uint32) unsafe.Pointer {
	if size > uint32(len(input)) || input == nil {
		input = make([]byte, max(size, 1))
	}
	return unsafe.Pointer(unsafe.SliceData(input))
}

// Call serves one call of the host: it hands the input frame to serve, and
// returns the frame that serve returned as a handler does. That frame has to be
// kept alive by others until the next call.
func Call(ptr, length uint32, serve func(frame []byte) []byte) uint64 {
	answer := serve(frame(ptr, length))
	return abi.Pack(address(answer), uint32(len(answer)))
}

// frame is what the host wrote: always the beginning of the input buffer, so
// that no address from outside is ever followed.
func frame(ptr, length uint32) []byte {
	Start()
	if length == 0 {
		return nil
	}
	if ptr != address(input) || length > uint32(len(input)) {
		panic("relay: the input is not in the buffer that relay_buffer returned")
	}
	return input[:length:length]
}

func address(b []byte) uint32 { return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) }

// Start runs the plugin's main once, which may register handlers as well as an
// init does: Go runs the inits of a reactor by itself, but never its main.
func Start() {
	if !started {
		started = true
		pluginMain()
	}
}

//go:linkname pluginMain main.main
func pluginMain()
