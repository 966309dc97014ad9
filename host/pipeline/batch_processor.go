package pipeline

import (
	"context"
	"time"

	"github.com/relayhost/relayhost/host/message"
)

// batchProcessor is one slot that handles batches.
type batchProcessor struct {
	pipeline *Pipeline
	handler  Handler
	exchange exchange
	lane     *batchLane
	config   *BatcherConfig
	deadline deadline          // of deliveries
	ended    []message.Failure // ok or not; reused
}

func newBatchProcessor(b *batcher, i int) *batchProcessor {
	h := b.slots[i]
	return &batchProcessor{
		pipeline: b.pipeline, handler: h, exchange: newExchange(h), lane: b.lane(i),
		config: &b.config, deadline: deadline{timeout: b.config.SinkTimeout},
	}
}

func (s *batchProcessor) run(work context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	defer s.deadline.end()
	for {
		taken := s.lane.take(work, timer)
		if taken == nil {
			return
		}
		batch := &taken.batch
		s.admit(batch)
		if len(batch.Messages) > 0 {
			s.exchange.begin()
			s.handle(work, batch)
			s.exchange.end()
		}
		s.lane.handled(taken)
		s.pipeline.worked(1)
		s.pipeline.checkDrained() // some may have been held back
	}
}

// admit takes those out of a batch that have to wait for an earlier message of
// their partition: they will be handled anew.
func (s *batchProcessor) admit(b *message.Batch) {
	if s.pipeline.gate.shut.Load() == 0 {
		return
	}
	kept := b.Messages[:0]
	for _, m := range b.Messages {
		if !m.Whole() || s.pipeline.gate.admit(m) {
			kept = append(kept, m)
		}
	}
	clear(b.Messages[len(kept):])
	b.Messages = kept
}

// handle works a batch off. Messages are acknowledged only after the sink has
// the batch's output.
func (s *batchProcessor) handle(work context.Context, b *message.Batch) {
	watch := s.pipeline.watch()
	result := s.handler.HandleBatch(b)
	if s.pipeline.halted.Load() {
		return
	}
	delivery := s.pipeline.watch()
	if err := s.deliver(work, b, result.Records); err != nil {
		o := message.Failed(message.Sink, err.Error())
		o.Retryable = true
		failOK(result.Outcomes, o)
	}
	delivery.tell(func(o Observer, delivered time.Duration) {
		o.BatchHandled(b, failures(result.Outcomes), time.Since(watch.began), delivered)
	})
	s.end(b, result.Outcomes)
}

// deliver gives the records to the sink, for no longer than its timeout.
func (s *batchProcessor) deliver(work context.Context, b *message.Batch, records []message.Record) error {
	if len(records) == 0 {
		return nil
	}
	return s.config.Sink.Deliver(s.deadline.begin(work), b, records)
}

// end ends the messages whose last output was in this batch, or who were in it
// themselves.
func (s *batchProcessor) end(b *message.Batch, outcomes []message.Outcome) {
	if plain(b, outcomes) {
		s.pipeline.succeed(b.Messages)
		return
	}
	for i, m := range b.Messages {
		if !outcomes[i].OK() && b.Plugin != "" {
			m.Plugin = b.Plugin
		}
		whole, o, all := m.Join(outcomes[i])
		if !all {
			continue
		}
		if o.Action != message.AsConfigured {
			whole.OnFailure, o.Action = o.Action, message.AsConfigured
		}
		if !o.OK() && !s.pipeline.holdBack(whole, o) {
			continue
		}
		s.ended = append(s.ended, message.Failure{Message: whole, Outcome: o})
	}
	s.pipeline.end(s.ended)
	clear(s.ended)
	s.ended = s.ended[:0]
}

// plain reports whether a batch's messages are all ok, and none was made of
// another.
func plain(b *message.Batch, outcomes []message.Outcome) bool {
	for i, m := range b.Messages {
		if !outcomes[i].OK() || outcomes[i].Action != message.AsConfigured || !m.Whole() {
			return false
		}
	}
	return true
}

// failOK replaces the outcomes that were ok.
func failOK(outcomes []message.Outcome, o message.Outcome) {
	for i := range outcomes {
		if outcomes[i].OK() {
			o.Action = outcomes[i].Action
			outcomes[i] = o
		}
	}
}

func failures(outcomes []message.Outcome) (n int) {
	for i := range outcomes {
		if !outcomes[i].OK() {
			n++
		}
	}
	return n
}
