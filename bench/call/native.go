package call

import (
	"bytes"

	"github.com/relayhost/relayhost/abi"
	relay "github.com/relayhost/relayhost/pdk/go"
)

// Native is the job in the host's own Go, with the scanner of the plugin in Go: no
// sandbox, no limit.
func Native() Side {
	input := frame()
	var output []byte
	return Side{Name: "native Go", Close: func() error { return nil }, Call: func() {
		m, err := abi.ParseMessage(input)
		if err != nil {
			panic(err)
		}
		event, err := abi.ParseEvent(m.Event)
		if err != nil {
			panic(err)
		}
		name, err := relay.JSON(event.Data).Get("person", "first_name").Text()
		if err != nil {
			panic(err)
		}
		output = bytes.ToUpper([]byte(name))
		result(output)
	}}
}
