//go:build wasip1

package prepare

import (
	relay "github.com/relayhost/relayhost/pdk/go"
	"github.com/relayhost/relayhost/pdk/go/internal/guest"
)

//go:wasmexport prepare_messages
func prepareMessages(ptr, length uint32) uint64 {
	return guest.Call(ptr, length, relay.Default.ServePrepare)
}
