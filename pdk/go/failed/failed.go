// Package failed gives a plugin handle_failed, which says what becomes of
// messages that failed for good. Start with [Handle].
//
// It is a package of its own because the host makes the call wherever a module
// has the export, and a Go module has it exactly if it imports this package: a
// plugin that leaves its failures to the configuration pays nothing, neither
// for the call nor for the instance that it runs in.
package failed

import relay "github.com/relayhost/relayhost/pdk/go"

// Handle registers the handler that is called once for every message that
// failed for good, whatever failed it: a handler's error, a trap, a deadline,
// the sink. It runs in an instance of its own, so it shares no variables with
// the handlers that failed. An error that it returns is logged, and the message
// is left to the configuration. Call it in init.
func Handle(handler func(*relay.Failed) error) { relay.Default.HandleFailed(handler) }
