package main

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/pipeline"
	"github.com/relayhost/relayhost/host/plugin"
)

// benchLine is the two ends of a pipeline that is measured: the source that gives
// the same events over and over, and the slots that count.
type benchLine struct {
	plugin *plugin.Plugin
	events []*message.Message
	next   int // of the one producer

	begin   sync.Once // at the first pull, when all slots are there
	began   time.Time
	mallocs uint64 // before

	settled, failed, last atomic.Int64
	reason                atomic.Pointer[string]

	mu       sync.Mutex
	handlers []*benchHandler
}

// The calls that a plugin may do without.
const exportPrepare, exportFailed = "prepare_messages", "handle_failed"

func newBenchLine(p *plugin.Plugin, events []*message.Message) *benchLine {
	return &benchLine{plugin: p, events: events}
}

// Pull makes the messages in one piece, as a server's reply has them.
func (b *benchLine) Pull(_ context.Context, stop <-chan struct{}, n int) ([]*message.Message, error) {
	b.begin.Do(func() { b.mallocs, b.began = mallocs(), time.Now() })
	select {
	case <-stop:
		return nil, nil
	default:
	}
	block, messages := make([]message.Message, n), make([]*message.Message, n)
	for i := range block {
		event := b.events[b.next]
		b.next = (b.next + 1) % len(b.events)
		block[i].ID, block[i].Event, block[i].Position = event.ID, event.Event, event.Position
		messages[i] = &block[i]
	}
	return messages, nil
}

// Settle counts.
func (b *benchLine) Settle(messages []*message.Message) {
	failed := int64(0)
	for _, m := range messages {
		if o := m.Outcome(); !o.OK() {
			failed++
			b.reason.CompareAndSwap(nil, &o.Reason)
		}
	}
	b.failed.Add(failed)
	b.settled.Add(int64(len(messages)))
	b.last.Store(int64(time.Since(b.began)))
}

func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

func (b *benchLine) NewHandler(ctx context.Context, stage message.Stage) (pipeline.Handler, error) {
	if stage == message.StageFailures && !b.plugin.Exports(exportFailed) {
		return nil, nil
	}
	slot, err := b.plugin.NewSlot(ctx)
	if err != nil {
		return nil, err
	}
	h := &benchHandler{Slot: slot}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.handlers = append(b.handlers, h)
	return h, nil
}

func (b *benchLine) Callbacks() pipeline.Callbacks {
	return pipeline.Callbacks{
		PrepareMessages: b.plugin.Exports(exportPrepare), HandleFailed: b.plugin.Exports(exportFailed),
	}
}

// benchHandler is a slot that counts what its calls use, and times some of them: a
// look at the clock costs as much as a small guest.
type benchHandler struct {
	*plugin.Slot

	calls int
	fuel  uint64
	times []time.Duration // of every sampledCalls-th call; the last of them
}

const (
	sampledCalls = 16
	keptTimes    = 1 << 16
)

func (h *benchHandler) HandleMessage(m *message.Message) message.Patch {
	h.calls++
	if h.calls%sampledCalls != 1 {
		patch := h.Slot.HandleMessage(m)
		h.fuel += h.Spent()
		return patch
	}
	start := time.Now()
	patch := h.Slot.HandleMessage(m)
	h.keep(time.Since(start))
	h.fuel += h.Spent()
	return patch
}

func (h *benchHandler) keep(took time.Duration) {
	if len(h.times) < keptTimes {
		h.times = append(h.times, took)
		return
	}
	h.times[h.calls/sampledCalls%keptTimes] = took
}

func (h *benchHandler) HandleBatch(b *message.Batch) message.BatchResult {
	result := h.Slot.HandleBatch(b)
	h.fuel += h.Spent()
	return result
}

// discard is a sink that takes everything.
type discard struct{}

func (discard) Deliver(context.Context, *message.Batch, []message.Record) error { return nil }
