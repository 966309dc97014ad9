// Package relay is the plugin kit for Go: it makes a relayhost plugin of
// ordinary functions. Start with [HandleMessage] and, for pipelines with
// batchers, [HandleBatch]. Two handlers are packages of their own, since a
// module has their exports by importing them: prepare, for a chunk of messages
// before each is handled, and failed, for what failed for good. Register
// handlers in init:
//
//	package main
//
//	import (
//		"bytes"
//
//		relay "github.com/relayhost/relayhost/pdk/go"
//	)
//
//	func init() {
//		relay.HandleMessage(func(m *relay.Message) error {
//			name, err := relay.JSON(m.Data()).Get("person", "first_name").Text()
//			if err != nil {
//				return err
//			}
//			m.SetData(bytes.ToUpper([]byte(name)))
//			return nil
//		})
//	}
//
//	func main() {}
//
// Go 1.26 or newer builds it:
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -ldflags='-s -w' -o plugin.wasm .
//
// # Lifecycle
//
// A host keeps an instance of the plugin for every slot, and calls one function
// of an instance at a time: init and main once, then the function given to
// [Configure], then handlers, and the one given to [Teardown] at an orderly end.
// State that a handler keeps in variables is the instance's own. It may be gone
// at any message, so use it as a cache only.
//
// # Outcomes
//
// A handler that returns nil has handled its message; one that returns an error
// has failed it, with the error's text as the reason. [Retryable] marks an error
// that another attempt may not meet. In a batch, [Message.Fail] fails one
// message and leaves the others. A handler that panics costs its message and the
// instance: the panic's text goes to the host's log. [Message.OnFailure] says
// what becomes of a message that fails, and so does a handler of package failed
// afterwards.
//
// # One to many
//
// A message handler may make several messages of one, by [Message.Emit].
//
// # Output
//
// A handler does no output of its own: what [Batch.Emit] is given goes to the
// batcher's sink when the handler has returned, and only then are the messages
// acknowledged.
//
// # Size
//
// The kit uses neither fmt nor encoding/json nor reflection. A plugin that does
// without them as well is about 2 MB with Go 1.26; encoding/json alone adds more
// than 1 MB and takes many times as long for a field as [JSON] does.
//
// # Tests
//
// Package relaytest runs handlers natively in go test.
package relay
