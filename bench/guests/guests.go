// Package guests holds the benchmarks' WebAssembly modules, and the one event that
// all of them handle. `make bench-guests` builds the modules of their C sources.
package guests

import (
	_ "embed" // for the modules
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/relayhost/relayhost/plugins"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// C is c/upcase.c: relayhost's ABI in freestanding C.
//
//go:embed upcase.wasm
var C []byte

// Extism is the same job as a plugin of Extism.
//
//go:embed extism.wasm
var Extism []byte

// Go is the plugin upcase, as the product has it.
var Go = plugins.Upcase

// Data is 254 bytes of JSON, as the reference figures have it.
const Data = `{"id":4711,"kind":"signup","tags":["new","web","eu-west"],` +
	`"person":{"title":"Dr","first_name":"Hildegard","last_name":"von Bingen","age":42,"address":{"city":"Bingen","zip":"55411"}},` +
	`"session":{"ip":"192.0.2.17","agent":"Mozilla/5.0 (X11)","ms":1834.25}}`

// Upcased is what all of them make of Data.
const Upcased = "HILDEGARD"

// Event is an event as a server sends it.
func Event(id int32, data string) []byte {
	frame, err := proto.Marshal(&pb.Event{
		Id:   fmt.Sprintf("0b5c7a52-7c5e-4d5f-9d6f-%012d", id),
		Name: "user.created", Topic: "users", Data: data, Source: "bench",
		OccurredAt: "2026-01-02T03:04:05Z", Offset: id,
	})
	if err != nil {
		panic(err) // a constant's
	}
	return frame
}
