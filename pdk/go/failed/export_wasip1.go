//go:build wasip1

package failed

import (
	relay "github.com/relayhost/relayhost/pdk/go"
	"github.com/relayhost/relayhost/pdk/go/internal/guest"
)

//go:wasmexport handle_failed
func handleFailed(ptr, length uint32) uint64 {
	return guest.Call(ptr, length, relay.Default.ServeFailed)
}
