//go:build wasip1

package relay

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

//go:wasmexport handle_message
func handleMessage(ptr, length uint32) uint64 {
	return answer(Default.ServeMessage(frame(ptr, length)))
}

//go:wasmexport handle_batch
func handleBatch(ptr, length uint32) uint64 {
	return answer(Default.ServeBatch(frame(ptr, length)))
}

//go:wasmexport configure
func configure(ptr, length uint32) uint64 {
	return answer(Default.ServeConfigure(frame(ptr, length)))
}

//go:wasmexport teardown
func teardown() {
	start()
	Default.ServeTeardown()
}

// frame is what the host wrote: always the beginning of the input buffer, so
// that no address from outside is ever followed.
func frame(ptr, length uint32) []byte {
	start()
	if length == 0 {
		return nil
	}
	if ptr != address(input) || length > uint32(len(input)) {
		panic("relay: the input is not in the buffer that relay_buffer returned")
	}
	return input[:length:length]
}

// answer is a handler's return value. The frame is kept alive by its plugin.
func answer(frame []byte) uint64 {
	return abi.Pack(address(frame), uint32(len(frame)))
}

func address(b []byte) uint32 { return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) }

// start runs the plugin's main, which may register handlers as well as an init
// does: Go runs the inits of a reactor by itself, but never its main.
func start() {
	if !started {
		started = true
		pluginMain()
	}
}

//go:linkname pluginMain main.main
func pluginMain()
