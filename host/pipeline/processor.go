package pipeline

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/relayhost/relayhost/host/message"
)

// processor is one slot that handles single messages.
type processor struct {
	pipeline *Pipeline
	index    int
	handler  Handler
	inbox    *inbox

	// Of the chunk at hand; reused.
	done     []*message.Message
	outcomes []message.Outcome
	forward  map[*batcher][]*message.Message
}

func newProcessor(p *Pipeline, index int, h Handler) *processor {
	return &processor{
		pipeline: p, index: index, handler: h, inbox: newInbox(),
		forward: make(map[*batcher][]*message.Message, len(p.batchers)),
	}
}

func (s *processor) run(work context.Context) {
	var spare []*message.Message
	for {
		messages := s.inbox.take(work, spare)
		if messages == nil {
			return
		}
		for chunk := range slices.Chunk(messages, s.pipeline.chunk()) {
			if !s.handle(work, chunk) {
				return
			}
			s.pipeline.demand.ask(s.index, len(chunk))
		}
		spare = messages
	}
}

// handle works a chunk off; it returns false when work is over.
func (s *processor) handle(work context.Context, chunk []*message.Message) bool {
	for _, m := range chunk {
		if s.pipeline.halted.Load() {
			return false
		}
		s.handleMessage(m)
	}
	s.pipeline.settle(s.done, s.outcomes)
	s.done, s.outcomes = s.done[:0], s.outcomes[:0]
	return s.forwardAll(work)
}

func (s *processor) handleMessage(m *message.Message) {
	patch := s.handler.HandleMessage(m)
	if !patch.OK() {
		s.end(m, patch.Outcome)
		return
	}
	m.Apply(&patch)
	if len(s.pipeline.batchers) == 0 {
		s.end(m, message.Outcome{})
		return
	}
	b, ok := s.pipeline.batchers[m.Batcher]
	if !ok {
		s.end(m, s.pipeline.unknownBatcher(m.Batcher))
		return
	}
	s.forward[b] = append(s.forward[b], m)
}

func (s *processor) end(m *message.Message, o message.Outcome) {
	s.done = append(s.done, m)
	s.outcomes = append(s.outcomes, o)
}

func (s *processor) forwardAll(work context.Context) bool {
	for b, messages := range s.forward {
		if len(messages) == 0 {
			continue
		}
		select {
		case b.in <- messages:
		case <-work.Done():
			return false
		}
		s.forward[b] = nil
	}
	return true
}

func (p *Pipeline) unknownBatcher(name string) message.Outcome {
	known := slices.Sorted(maps.Keys(p.batchers))
	return message.Failed(message.Routing,
		fmt.Sprintf("no batcher is named %q; the pipeline has: %s", name, strings.Join(known, ", ")))
}
