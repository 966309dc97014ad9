package plugin

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/message"
)

// Slot handles messages with an instance of its own. One goroutine at a time
// may use it; different slots run in parallel.
//
// A call that traps, exits or breaks the contract costs its message and the
// instance. A new instance is made in the background at once; from then on the
// slot keeps a spare, so that a plugin that fails often does not wait for its
// start each time. A slot that never lost an instance pays for no spare.
type Slot struct {
	plugin *Plugin
	ctx    context.Context //nolint:containedctx // values only, for instances to come
	logger *slog.Logger
	limit  *logLimit

	instance *instance // nil after a failure
	spare    *spare    // nil until the first failure
	retry    retry
	// interrupted ends the call that runs, and those to come.
	interrupted atomic.Bool

	message abi.Message
	batch   abi.Batch
	output  batchOutput
}

func (s *Slot) newLog() *guestLog { return &guestLog{logger: s.logger, limit: s.limit} }

// Interrupt ends the call that runs, and every later one, in less than a
// millisecond as a rule. Any goroutine may call it.
func (s *Slot) Interrupt() { s.interrupted.Store(true) }

// HandleMessage calls handle_message. Whatever goes wrong is in the patch's
// outcome.
func (s *Slot) HandleMessage(m *message.Message) message.Patch {
	patch, f := s.handleMessage(m)
	if f != nil {
		return message.Patch{Outcome: f.outcome()}
	}
	return patch
}

func (s *Slot) handleMessage(m *message.Message) (message.Patch, *fault) {
	if f := s.acquire(); f != nil {
		return message.Patch{}, f
	}
	s.message = wireMessage(m)
	s.instance.start(s.instance.limits.Message)
	output, f := s.instance.call(abi.ExportHandleMessage, s.instance.handleMessage, &s.message)
	s.message = abi.Message{} // holds on to no event
	if f != nil {
		return message.Patch{}, s.discard(f)
	}
	patch, f := parsePatch(output)
	if f != nil {
		return message.Patch{}, s.discard(f)
	}
	return patch, nil
}

// HandleBatch calls handle_batch. Whatever goes wrong is in the outcomes; the
// result is valid until the next call.
func (s *Slot) HandleBatch(b *message.Batch) message.BatchResult {
	result, f := s.handleBatch(b)
	if f != nil {
		return message.FailAll(len(b.Messages), f.outcome())
	}
	return result
}

func (s *Slot) handleBatch(b *message.Batch) (message.BatchResult, *fault) {
	if f := s.acquire(); f != nil {
		return message.BatchResult{}, f
	}
	if s.instance.handleBatch == nil {
		return message.BatchResult{}, breach("the plugin does not export %s", abi.ExportHandleBatch)
	}
	s.fillBatch(b)
	s.instance.start(s.instance.limits.Batch)
	output, f := s.instance.call(abi.ExportHandleBatch, s.instance.handleBatch, &s.batch)
	clear(s.batch.Messages)
	if f != nil {
		return message.BatchResult{}, s.discard(f)
	}
	result, f := s.output.parse(output, len(b.Messages))
	if f != nil {
		return message.BatchResult{}, s.discard(f)
	}
	return result, nil
}

func (s *Slot) fillBatch(b *message.Batch) {
	s.batch.Batcher, s.batch.BatchKey, s.batch.Trigger = b.Batcher, b.Key, abi.Trigger(b.Trigger)
	s.batch.Messages = s.batch.Messages[:0]
	for _, m := range b.Messages {
		s.batch.Messages = append(s.batch.Messages, wireMessage(m))
	}
}

func wireMessage(m *message.Message) abi.Message {
	return abi.Message{Event: m.Event, Data: m.Data, Attempt: m.Attempt}
}

// acquire makes sure that there is an instance.
func (s *Slot) acquire() *fault {
	if s.instance != nil {
		return nil
	}
	if f := s.retry.waiting(); f != nil {
		return f
	}
	if s.spare == nil {
		s.spare = s.newSpare()
	}
	instance, f := s.spare.take()
	s.spare = nil
	if f != nil {
		return s.retry.failed(f)
	}
	s.instance, s.retry = instance, retry{}
	s.spare = s.newSpare()
	return nil
}

// discard gives up the instance, which is in no state to be trusted, and
// passes on why.
func (s *Slot) discard(f *fault) *fault {
	s.instance.close()
	s.instance = nil
	if s.spare == nil {
		s.spare = s.newSpare()
	}
	return f
}

// Close gives the slot's instances back, after teardown. The error says whether
// teardown failed; the slot is closed in any case.
func (s *Slot) Close(context.Context) error {
	var errs []error
	if s.spare != nil {
		if instance, f := s.spare.take(); f == nil {
			errs = append(errs, s.retire(instance))
		}
	}
	if s.instance != nil {
		errs = append(errs, s.retire(s.instance))
	}
	s.instance, s.spare = nil, nil
	s.limit.report(s.logger)
	s.plugin.release()
	return errors.Join(errs...)
}

func (s *Slot) retire(in *instance) error {
	if f := in.retire(); f != nil {
		return &CloseError{Plugin: s.plugin.name, Reason: f.reason}
	}
	return nil
}
