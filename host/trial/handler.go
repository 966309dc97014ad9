package trial

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/pipeline"
	"github.com/relayhost/relayhost/host/plugin"
)

// slots gives a run's pipeline the trial's slots, each the place that it had in
// the run before.
type slots struct{ run *run }

func (s slots) Callbacks() pipeline.Callbacks {
	p := s.run.trial.plugin
	return pipeline.Callbacks{
		PrepareMessages: p.Exports(abi.ExportPrepare),
		HandleFailed:    p.Exports(abi.ExportFailed),
	}
}

func (s slots) NewHandler(ctx context.Context, stage message.Stage) (pipeline.Handler, error) {
	if stage == message.StageFailures && !s.Callbacks().HandleFailed {
		return nil, nil
	}
	r := s.run
	r.mu.Lock()
	defer r.mu.Unlock()
	i, t := len(r.handlers), r.trial
	if i == len(t.slots) {
		t.slots = append(t.slots, nil)
	}
	if t.slots[i] == nil {
		slot, err := t.plugin.NewSlot(ctx)
		if err != nil {
			return nil, err
		}
		t.slots[i] = slot
	}
	h := &handler{Slot: t.slots[i], run: r}
	r.handlers = append(r.handlers, h)
	return h, nil
}

// handler is a slot that tells the run what it has done.
type handler struct {
	*plugin.Slot

	run         *run
	interrupted atomic.Bool
	back        atomic.Bool // the pipeline has closed it
}

// PrepareMessages keeps what the call said of those that go no further.
func (h *handler) PrepareMessages(messages []*message.Message) []message.Patch {
	patches := h.Slot.PrepareMessages(messages)
	for i, m := range messages {
		o := patches[i].Outcome
		h.run.ack(m, func(a *Ack) { a.Attempts, a.Outcome = int(m.Attempt), o })
	}
	return patches
}

// HandleMessage keeps what the call said, for what never settles.
func (h *handler) HandleMessage(m *message.Message) message.Patch {
	start := time.Now()
	patch := h.Slot.HandleMessage(m)
	took := time.Since(start)
	h.run.ack(m, func(a *Ack) {
		a.Attempts, a.Outcome, a.Outputs = int(m.Attempt), patch.Outcome, patch.Outputs
		a.Fuel, a.Took = h.Spent(), took
	})
	return patch
}

// HandleBatch keeps the batch.
func (h *handler) HandleBatch(b *message.Batch) message.BatchResult {
	start := time.Now()
	result := h.Slot.HandleBatch(b)
	kept := &Batch{
		Batcher: b.Batcher, Key: b.Key, Partition: b.Partition, Trigger: b.Trigger,
		Fuel: h.Spent(), Took: time.Since(start),
	}
	for i, m := range b.Messages {
		kept.Events = append(kept.Events, index(m))
		if o := result.Outcomes[i]; !o.OK() {
			kept.Failed++
			h.run.ack(m, func(a *Ack) { a.Outcome = o })
		}
	}
	h.run.handled(b, kept)
	return result
}

func (r *run) handled(b *message.Batch, kept *Batch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.batches = append(r.batches, kept)
	r.open[b] = kept
}

// Interrupt makes the slot one that cannot be kept.
func (h *handler) Interrupt() {
	h.interrupted.Store(true)
	h.Slot.Interrupt()
}

// Close keeps the slot for the next call.
func (h *handler) Close(context.Context) error {
	h.back.Store(true)
	return nil
}

// sink keeps what is delivered.
type sink struct {
	run  *run
	next pipeline.Sink // nil for none
}

func (s *sink) Deliver(ctx context.Context, b *message.Batch, records []message.Record) error {
	if s.next != nil {
		if err := s.next.Deliver(ctx, b, records); err != nil {
			s.run.undelivered(b, message.Failed(message.Sink, err.Error()))
			return err
		}
	}
	s.run.delivered(b, func(kept *Batch) {
		for _, r := range records {
			kept.Records = append(kept.Records, slices.Clone(r.Data))
		}
	})
	return nil
}

func (r *run) delivered(b *message.Batch, change func(*Batch)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(r.open[b])
}

// undelivered keeps what failed the messages that had been ok.
func (r *run) undelivered(b *message.Batch, o message.Outcome) {
	r.delivered(b, func(kept *Batch) { kept.Failed = len(b.Messages) })
	for _, m := range b.Messages {
		r.ack(m, func(a *Ack) {
			if a.Outcome.OK() {
				a.Outcome = o
			}
		})
	}
}
