package relay

import "github.com/relayhost/relayhost/abi"

// OnFailure says what becomes of a message that failed.
type OnFailure = abi.OnFailure

// What may become of it: what the pipeline's configuration says; another try,
// if the failure is retryable; it is kept aside, with its reason; it and those
// behind it in its partition wait; it is given up, and counted.
const (
	AsConfigured  = abi.OnFailureAsConfigured
	Retry         = abi.OnFailureRetry
	DeadLetter    = abi.OnFailureDeadLetter
	HaltPartition = abi.OnFailureHaltPartition
	Drop          = abi.OnFailureDrop
)

// Failed is a message that failed for good: its event as EventRelay sent it,
// whatever handlers had made of it, and why it failed. It is valid only during
// the handler's call, and so is every []byte that it returns.
type Failed struct {
	original

	action OnFailure
}

// Kind is what failed the message: handler if it was a handler's error, or
// trap, deadline, fuel, memory, exit, abi, routing, missing, sink, unavailable.
// There may be others one day.
func (f *Failed) Kind() string { return f.in.FailureKind }

// Reason says for people why the message failed: a handler's error has its
// text here.
func (f *Failed) Reason() string { return f.in.FailureReason }

// OnFailure says what becomes of the message, in place of what its handlers and
// the configuration say.
func (f *Failed) OnFailure(action OnFailure) { f.action = action }

// HandleFailed registers the handler of failed messages. A plugin registers its
// own by failed.Handle, in package failed beside this one: without the import
// a module has no handle_failed, and the host does not call it.
func (p *Plugin) HandleFailed(handler func(*Failed) error) { p.handleFailed = handler }

// ServeFailed answers one handle_failed call: a Batch frame by a BatchResult
// frame. A malformed frame, or one of a message, is logged, and the messages are
// left to the configuration. The answer is valid until the next call of a Serve
// method.
func (p *Plugin) ServeFailed(frame []byte) []byte {
	in, err := abi.ParseBatch(frame)
	if err != nil {
		Log.Error("handle_failed: " + err.Error())
		return nil
	}
	p.out = p.out[:0]
	for i := range in.Messages {
		p.failed.in, p.failed.action = in.Messages[i], AsConfigured
		if err := p.runFailed(&p.failed); err != nil {
			Log.Error("handle_failed: message " + p.failed.ID() + ": " + err.Error())
			continue
		}
		p.out = abi.AppendResult(p.out, abi.MessageResult{Index: uint32(i), OnFailure: p.failed.action}) //nolint:gosec // a position
	}
	return p.out
}

func (p *Plugin) runFailed(f *Failed) error {
	if err := f.look(); err != nil || p.handleFailed == nil {
		return err
	}
	return p.handleFailed(f)
}
