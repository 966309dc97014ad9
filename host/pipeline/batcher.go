package pipeline

import (
	"container/list"
	"context"
	"sync"
	"time"

	"github.com/relayhost/relayhost/host/message"
)

// batcher gathers one batcher's messages into batches: one open batch for each
// batch key and partition. It has no goroutine of its own: processors add, and
// batch processors take what is full or due.
type batcher struct {
	pipeline *Pipeline
	index    int // among the pipeline's
	config   BatcherConfig
	slots    []Handler
	// lanes are as many as there are slots if the batcher is partitioned: a slot
	// takes from its own only. Otherwise there is one, which all take from.
	lanes []*batchLane
}

// batchLane is the batches that the same slots take.
type batchLane struct {
	batcher   *batcher
	partition int

	mu    sync.Mutex
	open  map[string]*openBatch // by batch key
	order *list.List            // of *openBatch, the oldest first
	held  int                   // messages in open batches
	usual int                   // messages in the batch that was emitted last
	last  *openBatch            // that got a message; nil if it was emitted
	ready []*openBatch
	ended bool
	wake  chan struct{}

	generation *generation // of the batches that are opened now
}

// openBatch is a batch that waits to fill.
type openBatch struct {
	batch message.Batch
	bytes int
	due   time.Time
	place *list.Element

	generation *generation
}

func newBatcher(p *Pipeline, c BatcherConfig) *batcher {
	b := &batcher{pipeline: p, index: len(p.batchers), config: c}
	n := 1
	if c.PartitionBy != nil {
		n = c.Concurrency
	}
	for i := range n {
		b.lanes = append(b.lanes, &batchLane{
			batcher: b, partition: i,
			open: make(map[string]*openBatch), order: list.New(), wake: make(chan struct{}, 1),
			generation: newGeneration(),
		})
	}
	return b
}

// lane is where slot i takes from.
func (b *batcher) lane(i int) *batchLane { return b.lanes[i%len(b.lanes)] }

// add puts a chunk's messages into their batches.
func (b *batcher) add(messages []*message.Message) {
	if len(b.lanes) == 1 {
		b.lanes[0].add(messages)
		return
	}
	parts := make([][]*message.Message, len(b.lanes))
	for _, m := range messages {
		i := slot(b.config.PartitionBy.Value(m), len(b.lanes))
		parts[i] = append(parts[i], m)
	}
	for i, part := range parts {
		if len(part) > 0 {
			b.lanes[i].add(part)
		}
	}
}

// add gathers messages. One in flush mode emits its batch at the end of the run
// of messages with its key.
func (l *batchLane) add(messages []*message.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	flush := false
	for i, m := range messages {
		open := l.put(m)
		flush = flush || m.Flush
		switch runEnds := i+1 == len(messages) || messages[i+1].BatchKey != m.BatchKey; {
		case len(open.batch.Messages) == l.batcher.config.BatchSize:
			l.emit(open, message.TriggerSize)
			flush = false
		case runEnds && flush:
			l.emit(open, message.TriggerFlush)
			flush = false
		}
	}
	l.signal()
}

// put adds a message to the open batch of its key, a new one if there is none
// or no room in it.
func (l *batchLane) put(m *message.Message) *openBatch {
	c := &l.batcher.config
	open := l.last
	if open == nil || open.batch.Key != m.BatchKey {
		open = l.open[m.BatchKey]
	}
	if open != nil && open.bytes+m.Size() > c.BatchBytes {
		l.emit(open, message.TriggerSize)
		open = nil
	}
	if open == nil {
		if len(l.open) >= c.MaxOpen {
			l.emit(l.oldest(), message.TriggerFlush)
		}
		open = l.begin(m.BatchKey)
	}
	open.batch.Messages = append(open.batch.Messages, m)
	open.bytes += m.Size()
	l.held++
	l.last = open
	return open
}

// begin opens a batch with room for as many messages as the one before had.
func (l *batchLane) begin(key string) *openBatch {
	c := &l.batcher.config
	open := &openBatch{
		batch: message.Batch{
			Batcher: c.Name, Key: key, Partition: l.partition, Messages: make([]*message.Message, 0, l.usual),
		},
		due: time.Now().Add(c.BatchTimeout),

		generation: l.generation,
	}
	l.generation.left++
	open.place = l.order.PushBack(open)
	l.open[key] = open
	return open
}

// oldest is the open batch that has waited longest, nil if there is none.
func (l *batchLane) oldest() *openBatch {
	if first := l.order.Front(); first != nil {
		return first.Value.(*openBatch) //nolint:forcetypeassert // the list's own
	}
	return nil
}

func (l *batchLane) emit(o *openBatch, t message.Trigger) {
	o.batch.Trigger = t
	l.batcher.pipeline.working.Add(1)
	l.usual = len(o.batch.Messages)
	l.held -= l.usual
	l.ready = append(l.ready, o)
	l.order.Remove(o.place)
	delete(l.open, o.batch.Key)
	if l.last == o {
		l.last = nil
	}
}

// take waits for a batch. It returns nil when there will be none.
func (l *batchLane) take(work context.Context, timer *time.Timer) *openBatch {
	for {
		batch, wait := l.next()
		if batch != nil {
			return batch
		}
		if wait < 0 {
			return nil
		}
		timer.Reset(wait)
		select {
		case <-l.wake:
		case <-timer.C:
		case <-work.Done():
			return nil
		}
	}
}

// next takes the batch that is to be handled next, or tells how long there will
// be none; less than 0 means for ever.
func (l *batchLane) next() (*openBatch, time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	wait := time.Hour
	if oldest := l.oldest(); len(l.ready) == 0 && oldest != nil {
		wait = time.Until(oldest.due)
		switch {
		case wait <= 0:
			l.emit(oldest, message.TriggerTimeout)
		case l.batcher.pipeline.flushing():
			l.emit(oldest, message.TriggerFlush)
		}
	}
	if len(l.ready) == 0 {
		if l.ended {
			l.signal() // to the others that take
			return nil, -1
		}
		return nil, wait
	}
	batch := l.ready[0]
	l.ready[0] = nil
	l.ready = l.ready[1:]
	if len(l.ready) > 0 || len(l.open) > 0 {
		l.signal()
	}
	return batch, 0
}

// end says that nothing more will come.
func (l *batchLane) end() {
	l.mu.Lock()
	l.ended = true
	l.mu.Unlock()
	l.signal()
}

func (l *batchLane) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// waiting is how many messages wait in the batcher.
func (b *batcher) waiting() (n int) {
	for _, l := range b.lanes {
		l.mu.Lock()
		for _, o := range l.ready {
			n += len(o.batch.Messages)
		}
		for _, o := range l.open {
			n += len(o.batch.Messages)
		}
		l.mu.Unlock()
	}
	return n
}

// end says that nothing more will come.
func (b *batcher) end() {
	for _, l := range b.lanes {
		l.end()
	}
}
