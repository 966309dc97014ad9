package pipeline

import (
	"container/list"
	"context"
	"time"

	"github.com/relayhost/relayhost/host/message"
)

// heldFactor bounds what a batcher holds in batches that wait to fill, in
// batch sizes: a plugin that gives every message a batch key of its own stops
// intake until timeouts emit what is there, instead of filling the memory.
const heldFactor = 100

// batcher gathers one batcher's messages into batches, one open batch for each
// batch key.
type batcher struct {
	pipeline *Pipeline
	config   BatcherConfig
	slots    []Handler
	in       chan []*message.Message
	out      chan *message.Batch

	open  map[string]*openBatch
	order *list.List // of *openBatch, the oldest first
	held  int        // messages in open
	ready []*message.Batch
	timer *time.Timer // goes off when the oldest open batch is due
}

// openBatch is a batch that waits to fill.
type openBatch struct {
	batch *message.Batch
	due   time.Time
	place *list.Element
}

func newBatcher(p *Pipeline, c BatcherConfig) *batcher {
	return &batcher{
		pipeline: p, config: c,
		in:   make(chan []*message.Message, p.config.Processors.Concurrency),
		out:  make(chan *message.Batch),
		open: map[string]*openBatch{}, order: list.New(),
	}
}

func (p *Pipeline) startBatchers(work context.Context) (wait func()) {
	var waits []func()
	for _, b := range p.batchers {
		waits = append(waits,
			startAll([]*batcher{b}, func(b *batcher) { b.run(work) }),
			startAll(b.slots, func(h Handler) { newBatchProcessor(p, b, h).run(work) }))
	}
	return func() {
		for _, wait := range waits {
			wait()
		}
	}
}

// run gathers until its input is closed, then emits what is open.
func (b *batcher) run(work context.Context) {
	defer close(b.out)
	b.timer = time.NewTimer(time.Hour)
	defer b.timer.Stop()
	for b.step(work) {
	}
}

// step waits for the next thing to do; it returns false when there is none.
func (b *batcher) step(work context.Context) bool {
	in, out, next := b.in, b.out, (*message.Batch)(nil)
	if len(b.ready) > 0 {
		in, next = nil, b.ready[0]
	} else {
		out = nil
		if b.in == nil {
			return false
		}
	}
	if b.held >= heldFactor*b.config.BatchSize {
		in = nil
	}
	select {
	case messages, ok := <-in:
		if ok {
			b.gather(messages)
		} else {
			b.flush()
		}
	case out <- next:
		b.ready[0] = nil
		b.ready = b.ready[1:]
	case now := <-b.timer.C:
		b.emitDue(now)
	case <-work.Done():
		return false
	}
	return true
}

// gather puts messages into their batches. A message in flush mode emits its
// batch at the end of the run of messages with its key.
func (b *batcher) gather(messages []*message.Message) {
	flush := false
	for i, m := range messages {
		open := b.batch(m.BatchKey)
		open.batch.Messages = append(open.batch.Messages, m)
		b.held++
		flush = flush || m.Flush
		switch runEnds := i+1 == len(messages) || messages[i+1].BatchKey != m.BatchKey; {
		case len(open.batch.Messages) == b.config.BatchSize:
			b.emit(open, message.TriggerSize)
			flush = false
		case runEnds && flush:
			b.emit(open, message.TriggerFlush)
			flush = false
		}
	}
}

// batch returns the open batch of a key, a new one if there is none.
func (b *batcher) batch(key string) *openBatch {
	if o := b.open[key]; o != nil {
		return o
	}
	o := &openBatch{
		batch: &message.Batch{Batcher: b.config.Name, Key: key},
		due:   time.Now().Add(b.config.BatchTimeout),
	}
	o.place = b.order.PushBack(o)
	b.open[key] = o
	if b.order.Len() == 1 {
		b.timer.Reset(b.config.BatchTimeout)
	}
	return o
}

func (b *batcher) emit(o *openBatch, t message.Trigger) {
	o.batch.Trigger = t
	b.ready = append(b.ready, o.batch)
	b.held -= len(o.batch.Messages)
	b.order.Remove(o.place)
	delete(b.open, o.batch.Key)
}

// emitDue emits the batches that are due and sets the timer for the next.
func (b *batcher) emitDue(now time.Time) {
	for first := b.order.Front(); first != nil; first = b.order.Front() {
		o, _ := first.Value.(*openBatch)
		if o.due.After(now) {
			b.timer.Reset(o.due.Sub(now))
			return
		}
		b.emit(o, message.TriggerTimeout)
	}
}

// flush emits every open batch: the pipeline drains.
func (b *batcher) flush() {
	b.in = nil
	for first := b.order.Front(); first != nil; first = b.order.Front() {
		o, _ := first.Value.(*openBatch)
		b.emit(o, message.TriggerFlush)
	}
}
