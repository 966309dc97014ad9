package plugin

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/message"
)

// Slot handles messages with an instance of its own. One goroutine at a time
// may use it; different slots run in parallel.
//
// A call that traps, exits or breaks the contract costs its message and the
// instance. New instances are made in the background at once; from then on the
// slot keeps spares, so that a plugin that fails often does not wait for its
// start each time. A slot that never lost an instance pays for no spare.
//
// A plugin that fails all the time, or cannot be started, is given a rest: the
// slot's calls wait until it is over, or until Interrupt.
type Slot struct {
	plugin *Plugin
	ctx    context.Context //nolint:containedctx // values only, for instances to come
	logger *slog.Logger
	limit  *logLimit

	instance *instance // nil after a failure, and while there is nothing to do
	spares   []*spare  // the oldest first
	lossy    bool      // it lost an instance, and so keeps spares
	pace     pace
	spent    uint64 // fuel of the last call
	usage    usage

	// interrupted ends the call that runs, and those to come; stop, closed with
	// it, the waits between them.
	interrupted atomic.Bool
	stop        chan struct{}
	stopOnce    sync.Once
	// relief, once closed, ends the waits only: another slot is there.
	relief     chan struct{}
	reliefOnce sync.Once

	closing sync.WaitGroup // of instances that were given up

	batch   abi.Batch
	reader  patchReader
	output  batchOutput
	patches patchList
	actions actionList
}

func (s *Slot) newLog() *guestLog { return &guestLog{logger: s.logger, limit: s.limit} }

// Interrupt ends the call that runs, and every later one, in less than a
// millisecond as a rule. Any goroutine may call it.
func (s *Slot) Interrupt() {
	s.interrupted.Store(true)
	s.stopOnce.Do(func() { close(s.stop) })
}

// relieve ends the waits between calls, and those to come. Any goroutine may call
// it.
func (s *Slot) relieve() { s.reliefOnce.Do(func() { close(s.relief) }) }

// cut ends the call that runs, and those to come but for teardown. Any goroutine
// may call it.
func (s *Slot) cut() {
	s.relieve()
	s.interrupted.Store(true)
}

// Spent is the fuel that the last call used, in units of package meter. Of a
// call that trapped, some may be missing.
func (s *Slot) Spent() uint64 { return s.spent }

// HandleMessage calls handle_message. Whatever goes wrong is in the patch's
// outcome.
func (s *Slot) HandleMessage(m *message.Message) (p message.Patch) {
	m.Plugin = s.plugin.digest
	f := s.acquire()
	if f == nil {
		f = s.handleMessage(m, &p)
		s.release(f)
	}
	if f != nil {
		p = message.Patch{Outcome: f.outcome()}
	}
	return p
}

func (s *Slot) handleMessage(m *message.Message, p *message.Patch) *fault {
	in := s.instance
	in.begin(in.limits.Message, m.ID)
	output, f := call(in, abi.ExportHandleMessage, in.handleMessage, wireMessage(m))
	if f != nil {
		return f
	}
	return s.reader.parse(output, in.limits.Outputs, p)
}

// HandleBatch calls handle_batch. Whatever goes wrong is in the outcomes; the
// result is valid until the next call.
func (s *Slot) HandleBatch(b *message.Batch) message.BatchResult {
	b.Plugin = s.plugin.digest
	if f := s.acquire(); f != nil {
		return message.FailAll(len(b.Messages), f.outcome())
	}
	result, f := s.handleBatch(b)
	if s.release(f); f != nil {
		return message.FailAll(len(b.Messages), f.outcome())
	}
	return result
}

func (s *Slot) handleBatch(b *message.Batch) (message.BatchResult, *fault) {
	s.fillBatch(b)
	output, f := s.callBatch(abi.ExportHandleBatch, s.instance.handleBatch, batchName(b))
	if f != nil {
		return message.BatchResult{}, f
	}
	return s.output.parse(output, len(b.Messages), s.instance.limits.OutputRecords)
}

// callBatch calls a handler with the slot's batch; name is what the batch is
// about.
func (s *Slot) callBatch(export string, fn api.Function, name string) ([]byte, *fault) {
	if fn == nil {
		return nil, breach("the plugin does not export %s", export)
	}
	s.instance.begin(s.instance.limits.Batch, name)
	output, f := call(s.instance, export, fn, s.batch)
	clear(s.batch.Messages) // holds on to no event
	return output, f
}

// batchName is what a batch's randomness is seeded with, which wants no more
// than to be the same for the same batch.
func batchName(b *message.Batch) string {
	if len(b.Messages) == 0 {
		return b.Batcher
	}
	return b.Messages[0].ID
}

func (s *Slot) fillBatch(b *message.Batch) {
	s.batch = abi.Batch{
		Batcher: b.Batcher, BatchKey: b.Key, Trigger: abi.Trigger(b.Trigger),
		Partition: uint32(b.Partition), //nolint:gosec // one of few slots
		Messages:  s.batch.Messages[:0],
	}
	for _, m := range b.Messages {
		s.batch.Messages = append(s.batch.Messages, wireMessage(m))
	}
}

func wireMessage(m *message.Message) abi.Message {
	return abi.Message{Event: m.Event, Data: m.Data, Attempt: m.Attempt}
}

// acquire makes sure that there is an instance, and waits for one while the
// plugin rests. It fails only when the slot is interrupted or relieved.
func (s *Slot) acquire() *fault {
	s.spent = 0
	for {
		if last := s.plugin.breaker.pass(s.stop, s.relief); last != nil {
			return unavailable(last)
		}
		if s.instance != nil {
			return nil
		}
		if !s.wait(s.pace.delay()) {
			return unavailable(&fault{reason: "it was interrupted"})
		}
		instance, f := s.nextInstance()
		if f == nil {
			s.instance = instance
			return nil
		}
		// What cannot be started wants a rest at once.
		s.plugin.breaker.failed(f, s.plugin.breaker.limit)
	}
}

// wait reports whether d passed before the slot was interrupted or relieved.
func (s *Slot) wait(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.stop:
		return false
	case <-s.relief:
		return false
	}
}

// uncut leaves a slot interrupted only by Interrupt.
func (s *Slot) uncut() {
	select {
	case <-s.stop:
	default:
		s.interrupted.Store(false)
	}
}

// release ends a call: it gives up an instance that is in no state to be
// trusted or may not be kept.
func (s *Slot) release(f *fault) {
	s.spent = s.instance.gauge.Spent()
	s.usage.fuel.Add(s.spent)
	if f != nil {
		s.plugin.breaker.failed(f, 1)
		s.discard(f.kind.String())
		return
	}
	s.plugin.breaker.succeeded()
	switch {
	case s.plugin.settings.State == StateMessage && !s.instance.restore():
		s.discard(gaveUpState)
	case s.instance.outgrown():
		s.discard(gaveUpGrown)
	}
}

func (s *Slot) discard(why string) {
	s.usage.discard(why)
	s.pace.charge(s.instance.took, s.instance.memory.Size()+s.instance.gauge.Stack())
	s.instance.flush()
	// The kernel takes a millisecond for each 10 MB that it gets back.
	s.closing.Go(s.instance.close)
	s.instance, s.lossy = nil, true
	s.replenish()
}

// Close gives the slot's instances back, after teardown. The error says whether
// teardown failed; the slot is closed in any case.
func (s *Slot) Close(context.Context) error {
	s.uncut()
	err := s.retireAll(s.vacate())
	s.closing.Wait()
	s.limit.report(s.logger)
	s.plugin.release(s)
	return err
}

// vacate leaves the slot without instances.
func (s *Slot) vacate() []*spare {
	all := s.spares
	if s.instance != nil {
		all = append(all, readySpare(s.instance))
	}
	s.instance, s.spares = nil, nil
	return all
}

func (s *Slot) retireAll(all []*spare) error {
	var errs []error
	for _, spare := range all {
		if instance, f := spare.take(); f == nil {
			errs = append(errs, s.retire(instance))
		}
	}
	return errors.Join(errs...)
}

func (s *Slot) retire(in *instance) error {
	if f := in.retire(); f != nil {
		return &CloseError{Plugin: s.plugin.name, Reason: f.reason}
	}
	return nil
}
