//go:build wasip1

package relay

import "github.com/relayhost/relayhost/pdk/go/internal/guest"

//go:wasmexport handle_message
func handleMessage(ptr, length uint32) uint64 { return guest.Call(ptr, length, Default.ServeMessage) }

//go:wasmexport handle_batch
func handleBatch(ptr, length uint32) uint64 { return guest.Call(ptr, length, Default.ServeBatch) }

//go:wasmexport configure
func configure(ptr, length uint32) uint64 { return guest.Call(ptr, length, Default.ServeConfigure) }

//go:wasmexport teardown
func teardown() {
	guest.Start()
	Default.ServeTeardown()
}
