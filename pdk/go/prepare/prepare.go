// Package prepare gives a plugin prepare_messages: one call for each chunk of
// messages, before the chunk's messages are handled one by one. Start with
// [Messages].
//
// It is a package of its own because the host makes the call wherever a module
// has the export, and a Go module has it exactly if it imports this package: a
// plugin that does not prepare its messages pays nothing for those that do.
package prepare

import relay "github.com/relayhost/relayhost/pdk/go"

// Messages registers the handler that is called once for every chunk. It may
// set on a message whatever [relay.HandleMessage] may, but for
// [relay.Message.Emit], and [relay.Message.Fail] it: what failed is not handled
// further. A returned error fails every message of the chunk. Call it in init.
func Messages(handler func([]*relay.Message) error) { relay.Default.PrepareMessages(handler) }
