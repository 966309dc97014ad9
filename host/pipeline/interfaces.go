package pipeline

import (
	"context"

	"github.com/relayhost/relayhost/host/message"
)

// Source is where events come from. The pipeline calls Pull from one goroutine
// for each unit of Producer.Concurrency, and Settle from any.
type Source interface {
	// Pull blocks until it has between 1 and n messages and returns them, in
	// the source's order. When stop is closed it waits no longer: it returns
	// what a request in flight brings, or nothing. Cancelling ctx abandons even
	// that. An error means that the source will give no more: io.EOF when it is
	// exhausted, any other to fail the pipeline. A source that can recover
	// retries by itself.
	Pull(ctx context.Context, stop <-chan struct{}, n int) ([]*message.Message, error)
	// Settle acknowledges messages, each with its outcome, in the order in
	// which they ended. It must not block for long.
	Settle(messages []*message.Message)
}

// Unlocker is a Source that may be able to have a message delivered anew, to
// whoever pulls next.
type Unlocker interface {
	Source
	// CanUnlock reports whether it is; known once the first Pull has returned.
	CanUnlock() bool
	// Unlock gives messages back. It tries until it succeeds, ctx is done, or
	// there is no hope.
	Unlock(ctx context.Context, messages []*message.Message) error
}

// Journal keeps what a source has brought until it is settled, so that a later
// run can handle what this one did not.
type Journal interface {
	// Admit waits until there is room for more messages. It reports false if
	// stop was closed first.
	Admit(stop <-chan struct{}) bool
	// Append keeps the messages of a pull: they are safe when it returns nil.
	// What may pass, such as a full disk, it waits out until stop is closed or
	// ctx done. An error says that they are not safe; they are to be handled
	// nonetheless.
	Append(ctx context.Context, stop <-chan struct{}, messages []*message.Message) error
	// Recover returns up to n messages that were kept and did not settle in an
	// earlier run, in their order, or that were put back since; none if there
	// are none at the time. Each is returned once.
	Recover(n int) ([]*message.Message, error)
	// Recoverable has an item when there may be more to Recover.
	Recoverable() <-chan struct{}
	// Settle takes messages out, each with its outcome: a dead letter is kept
	// aside. It does not wait.
	Settle(messages []*message.Message)
}

// Plugin makes the handlers of a pipeline's slots.
type Plugin interface {
	// NewHandler makes the handler of one slot. It may return nil for
	// StageFailures if there never is a handle_failed to call.
	NewHandler(ctx context.Context, s message.Stage) (Handler, error)
	// Callbacks says which of the optional calls are wanted, at the time: it is
	// asked before each chunk.
	Callbacks() Callbacks
}

// Callbacks are the calls that a plugin may do without.
type Callbacks struct{ PrepareMessages, HandleFailed bool }

// Handler is one slot's own: it is called by one goroutine at a time. Whatever
// goes wrong in a call is in the outcome; a handler heals itself, and ends every
// call by a deadline of its own.
type Handler interface {
	// PrepareMessages is called with each chunk before its messages are
	// handled, if the plugin has it. It returns what shall change in each of
	// them, by position; a call that failed as a whole fails them all.
	PrepareMessages(messages []*message.Message) []message.Patch
	// HandleMessage handles one message and says what should change. In the
	// message's Plugin it says which version it is, and so do the other calls.
	HandleMessage(m *message.Message) message.Patch
	// HandleBatch handles one batch. The result has an outcome for each of
	// the batch's messages and is valid until the next call.
	HandleBatch(b *message.Batch) message.BatchResult
	// HandleFailed is called with messages that failed for good, by a slot of
	// its own, if the plugin has it. It returns what shall become of each, by
	// position, and how the call itself ended.
	HandleFailed(failures []message.Failure) ([]message.OnFailure, message.Outcome)
	// Interrupt ends the call that runs, and those to come; any goroutine may
	// call it.
	Interrupt()
	// Close gives the slot's instance back; no call may be running.
	Close(ctx context.Context) error
}

// Exchanger is a Handler behind which the plugin may be exchanged for another,
// between one chunk, batch or group of failures and the next. What a chunk has
// made is with its batchers before End.
type Exchanger interface {
	Handler
	// Begin comes before the calls about a chunk, End after them, on the slot's
	// goroutine.
	Begin()
	End()
}

// Sink is where a batcher's output goes. It is shared by the batcher's slots
// and must be safe for concurrent use.
type Sink interface {
	// Deliver returns nil once the records are safe with the receiver. The
	// records are valid only during the call. It must return when ctx is done.
	Deliver(ctx context.Context, b *message.Batch, records []message.Record) error
}
