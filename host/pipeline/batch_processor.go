package pipeline

import (
	"context"

	"github.com/relayhost/relayhost/host/message"
)

// batchProcessor is one slot that handles batches.
type batchProcessor struct {
	pipeline *Pipeline
	handler  Handler
	batches  <-chan *message.Batch
	sink     Sink
}

func newBatchProcessor(p *Pipeline, b *batcher, h Handler) *batchProcessor {
	return &batchProcessor{pipeline: p, handler: h, batches: b.out, sink: b.config.Sink}
}

func (s *batchProcessor) run(work context.Context) {
	for b := range s.batches {
		s.handle(work, b)
	}
}

// handle works a batch off. Messages are acknowledged only after the sink has
// the batch's output.
func (s *batchProcessor) handle(work context.Context, b *message.Batch) {
	result := s.handler.HandleBatch(b)
	if s.pipeline.halted.Load() {
		return
	}
	if len(result.Records) > 0 {
		if err := s.sink.Deliver(work, b, result.Records); err != nil {
			failOK(result.Outcomes, message.Failed(message.Sink, err.Error()))
		}
	}
	s.pipeline.settle(b.Messages, result.Outcomes)
}

// failOK replaces the outcomes that were ok.
func failOK(outcomes []message.Outcome, o message.Outcome) {
	for i := range outcomes {
		if outcomes[i].OK() {
			outcomes[i] = o
		}
	}
}
