package relaytest

import (
	"testing"

	"github.com/relayhost/relayhost/abi"
	relay "github.com/relayhost/relayhost/pdk/go"
)

// Prepare runs a chunk's handler on messages, of which Result{Event: …} says
// enough, and returns them as it left them: [Retry] runs a message handler on
// one of those. A nil handler stands for the one that was registered by
// prepare.Messages.
func Prepare(t testing.TB, handler func([]*relay.Message) error, messages ...Result) []Result {
	t.Helper()
	var chunk abi.Batch
	for _, m := range messages {
		chunk.Messages = append(chunk.Messages, m.encode(t))
	}
	plugin := relay.Default
	if handler != nil {
		plugin = new(relay.Plugin)
		plugin.PrepareMessages(handler)
	}
	prepared := append([]Result{}, messages...)
	serve(t, func() error {
		answer, err := abi.ParseBatchResult(plugin.ServePrepare(chunk.Append(nil)))
		for _, r := range answer.Results {
			prepared[r.Index].apply(r)
		}
		return err
	})
	return prepared
}
