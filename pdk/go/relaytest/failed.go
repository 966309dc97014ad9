package relaytest

import (
	"cmp"
	"testing"

	"github.com/relayhost/relayhost/abi"
	relay "github.com/relayhost/relayhost/pdk/go"
)

// Failure is a message that failed for good.
type Failure struct {
	Event *Event
	// Attempt is how often it was tried, counted from 1, which 0 stands for.
	Attempt int
	// Kind is what failed it; empty stands for handler.
	Kind string
	// Reason says why, for people.
	Reason string
}

// Failed runs a handler of failed messages, and returns what it said becomes of
// each. A nil handler stands for the one that was registered by failed.Handle.
func Failed(t testing.TB, handler func(*relay.Failed) error, failures ...Failure) []relay.OnFailure {
	t.Helper()
	var batch abi.Batch
	for _, f := range failures {
		m := Result{Event: f.Event, Attempt: f.Attempt}.encode(t)
		m.FailureKind, m.FailureReason = cmp.Or(f.Kind, "handler"), f.Reason
		batch.Messages = append(batch.Messages, m)
	}
	plugin := relay.Default
	if handler != nil {
		plugin = new(relay.Plugin)
		plugin.HandleFailed(handler)
	}
	actions := make([]relay.OnFailure, len(failures))
	serve(t, func() error {
		answer, err := abi.ParseBatchResult(plugin.ServeFailed(batch.Append(nil)))
		for _, r := range answer.Results {
			actions[r.Index] = r.OnFailure
		}
		return err
	})
	return actions
}
