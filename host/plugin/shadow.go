package plugin

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/relayhost/relayhost/host/message"
)

const (
	// shadowQueue is how many messages may wait for a shadow; what is above it
	// skips, so that the live version never waits.
	shadowQueue = 256
	// shadowBytes is how many bytes of them, about.
	shadowBytes = 16 << 20
	// shadowDifferences is how many differences are kept, the latest.
	shadowDifferences = 10
)

// shadow has a version handle copies of messages, in a goroutine of its own, and
// compares what it makes of them.
type shadow struct {
	trial   *trial
	slot    *Slot
	queue   chan shadowed
	waiting atomic.Int64  // bytes of what is in the queue
	stopped chan struct{} // closed by stop
	ended   chan struct{} // closed when run has ended
	once    sync.Once

	mu          sync.Mutex
	counts      struct{ compared, differed, skipped int64 }
	differences []Difference
}

// shadowed is a message, as it was before it was handled, and what the live
// version has made of it; or a batch of such.
type shadowed struct {
	message *message.Message
	live    message.Patch

	batch  *message.Batch
	result message.BatchResult
	size   int64
}

func newShadow(t *trial) (*shadow, error) {
	slot, err := t.candidate.NewSlot(context.Background())
	if err != nil {
		return nil, err
	}
	s := &shadow{
		trial: t, slot: slot, queue: make(chan shadowed, shadowQueue),
		stopped: make(chan struct{}), ended: make(chan struct{}),
	}
	go s.run()
	return s, nil
}

// offer has a message compared, if there is room.
func (s *shadow) offer(m *message.Message, live *message.Patch) {
	copied := before(m)
	copied.Data = m.Data // what prepare_messages has made of it
	s.put(shadowed{message: copied, live: *live, size: int64(m.Size() + len(live.Data))})
}

// offerBatch has a batch compared, if there is room.
func (s *shadow) offerBatch(b *message.Batch, r message.BatchResult) {
	copied := *b
	copied.Messages = make([]*message.Message, len(b.Messages))
	var size int64
	for i, m := range b.Messages {
		c := before(m)
		if !m.Whole() { // what was made of a message is not made again
			c.Data, c.Plugin = m.Data, s.trial.candidate.digest
		}
		copied.Messages[i] = c
		size += int64(m.Size())
	}
	records := make([]message.Record, len(r.Records))
	for i := range r.Records {
		records[i].Data = bytes.Clone(r.Records[i].Data)
		size += int64(len(records[i].Data))
	}
	s.put(shadowed{batch: &copied, result: message.BatchResult{Outcomes: slices.Clone(r.Outcomes), Records: records}, size: size})
}

func (s *shadow) put(item shadowed) {
	if s.waiting.Add(item.size) > shadowBytes {
		s.waiting.Add(-item.size)
		s.skip()
		return
	}
	select {
	case s.queue <- item:
	default:
		s.waiting.Add(-item.size)
		s.skip()
	}
}

func (s *shadow) skip() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.skipped++
}

// run compares until stop.
func (s *shadow) run() {
	defer close(s.ended)
	for {
		select {
		case <-s.stopped:
			return
		case item := <-s.queue:
			s.waiting.Add(-item.size)
			s.try(&item)
		}
	}
}

func (s *shadow) try(item *shadowed) {
	switch {
	case s.trial.candidate.breaker.open():
		s.skip() // it fails all the time, and would have us wait
	case item.batch != nil:
		s.tryBatch(item)
	default:
		patch := s.trial.measure(&s.trial.tried, s.slot, item.message)
		s.note(item.message.ID, differing(&item.live, &patch))
	}
}

// tryBatch has the version handle the messages of a batch and then the batch. One
// that it would not have so has been noted as different already.
func (s *shadow) tryBatch(item *shadowed) {
	for _, m := range item.batch.Messages {
		if m.Plugin != "" {
			continue
		}
		patch := s.slot.HandleMessage(m)
		if !patch.OK() || len(patch.Outputs) > 0 {
			return
		}
		if m.Apply(&patch); m.Batcher != item.batch.Batcher || m.BatchKey != item.batch.Key {
			return
		}
	}
	result := s.slot.HandleBatch(item.batch)
	var fields []string
	if !slices.EqualFunc(item.result.Outcomes, result.Outcomes, func(a, b message.Outcome) bool { return a.Kind == b.Kind }) {
		fields = append(fields, "failed")
	}
	if !slices.EqualFunc(item.result.Records, result.Records, func(a, b message.Record) bool { return bytes.Equal(a.Data, b.Data) }) {
		fields = append(fields, "records")
	}
	s.note(item.batch.Messages[0].ID, fields)
}

// note counts a comparison, and keeps what differed.
func (s *shadow) note(id string, fields []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counts.compared++; len(fields) == 0 {
		return
	}
	s.counts.differed++
	if len(s.differences) == shadowDifferences {
		s.differences = slices.Delete(s.differences, 0, 1)
	}
	s.differences = append(s.differences, Difference{EventID: id, Fields: fields})
}

// stop ends the shadow; what waits is left. It waits for the call that runs,
// which it interrupts.
func (s *shadow) stop() {
	s.once.Do(func() {
		close(s.stopped)
		s.slot.Interrupt()
		<-s.ended
		if err := s.slot.Close(context.Background()); err != nil {
			s.trial.candidate.log.Warn("teardown failed", "error", err)
		}
	})
}

func (s *shadow) report(r *Trial) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Compared, r.Differed, r.Skipped = s.counts.compared, s.counts.differed, s.counts.skipped
	r.Differences = slices.Clone(s.differences)
}

// differing are the names of the fields in which two patches differ. Of two that
// ended differently nothing more is compared.
func differing(a, b *message.Patch) (fields []string) {
	if a.Kind != b.Kind {
		return []string{"outcome"}
	}
	for _, f := range []struct {
		name string
		same bool
	}{
		{"reason", a.EqualReason(b.Outcome)},
		{"retryable", a.Retryable == b.Retryable},
		{"on_failure", a.OnFailure == b.OnFailure},
		{"data", message.EqualData(a.Data, b.Data)},
		{"batcher", a.Batcher == b.Batcher && a.SetBatcher == b.SetBatcher},
		{"batch_key", a.BatchKey == b.BatchKey && a.SetBatchKey == b.SetBatchKey},
		{"flush", a.Flush == b.Flush && a.SetFlush == b.SetFlush},
		{"outputs", slices.EqualFunc(a.Outputs, b.Outputs, message.Output.Equal)},
	} {
		if !f.same {
			fields = append(fields, f.name)
		}
	}
	return fields
}
