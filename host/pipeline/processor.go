package pipeline

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/relayhost/relayhost/host/message"
)

// processor is one slot that handles single messages.
type processor struct {
	pipeline *Pipeline
	index    int
	handler  Handler
	exchange exchange
	inbox    *inbox[*message.Message]

	// Of the chunk at hand; reused.
	admitted []*message.Message
	ended    []message.Failure    // ok or not
	forward  [][]*message.Message // by batcher
	last     *batcher             // that was forwarded to
	count    struct{ forwarded, failed int }
}

func newProcessor(p *Pipeline, index int, h Handler) *processor {
	return &processor{
		pipeline: p, index: index, handler: h, exchange: newExchange(h), inbox: newInbox[*message.Message](),
		forward: make([][]*message.Message, len(p.batchers)),
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
			if s.pipeline.halted.Load() {
				return
			}
			s.handle(chunk)
		}
		spare = messages
	}
}

// handle works a chunk off, and asks for as many new messages.
func (s *processor) handle(chunk []*message.Message) {
	first := 0
	for _, m := range chunk {
		if !m.Replaced {
			m.Replaced = true
			first++
		}
	}
	s.exchange.begin()
	watch := s.pipeline.watch()
	s.count.forwarded, s.count.failed = 0, 0
	s.process(chunk)
	watch.tell(func(o Observer, took time.Duration) {
		o.ChunkHandled(s.index, len(chunk), s.count.forwarded, s.count.failed, took)
	})
	s.pipeline.end(s.ended)
	clear(s.ended)
	s.ended = s.ended[:0]
	s.forwardAll()
	s.exchange.end()
	s.pipeline.ask(s.index, first)
	s.pipeline.leave(len(chunk))
}

// process prepares and handles messages, but for those whose partition is held
// back.
func (s *processor) process(chunk []*message.Message) {
	if !s.pipeline.plugin.Callbacks().PrepareMessages {
		for _, m := range chunk {
			s.handleMessage(m)
		}
		return
	}
	admitted := s.admitted[:0]
	for _, m := range chunk {
		if s.pipeline.gate.admit(m) {
			admitted = append(admitted, m)
		}
	}
	s.admitted = nil // process may be called by handleMessage
	if len(admitted) > 0 {
		s.prepare(admitted)
	}
	clear(admitted)
	s.admitted = admitted[:0]
}

// prepare has the plugin see a chunk whole, and handles what it has not failed.
func (s *processor) prepare(chunk []*message.Message) {
	patches := s.handler.PrepareMessages(chunk)
	failed := make([]bool, len(chunk))
	for i, m := range chunk {
		if failed[i] = !patches[i].OK(); failed[i] {
			s.fail(m, &patches[i])
			continue
		}
		m.Apply(&patches[i])
	}
	for i, m := range chunk {
		if !failed[i] {
			s.handleMessage(m)
		}
	}
}

func (s *processor) handleMessage(m *message.Message) {
	if s.pipeline.halted.Load() || !s.pipeline.gate.admit(m) {
		return
	}
	watch := s.pipeline.watch()
	patch := s.handler.HandleMessage(m)
	watch.tell(func(o Observer, took time.Duration) { o.MessageHandled(s.index, m, patch.Outcome, took) })
	if !patch.OK() {
		s.fail(m, &patch)
		return
	}
	m.Apply(&patch)
	s.route(m, patch.Outputs)
	// Those that waited behind it come before any other of their partition.
	if behind := s.pipeline.gate.open(m); behind != nil {
		s.process(behind)
	}
}

// route sends a message, or what was made of it, to its batchers.
func (s *processor) route(m *message.Message, outputs []message.Output) {
	if len(s.pipeline.batchers) == 0 {
		s.end(m, message.Outcome{})
		return
	}
	if len(outputs) == 0 {
		s.send(m)
		return
	}
	split := m.Split(outputs)
	for _, output := range split {
		if s.pipeline.batchers[output.Batcher] == nil {
			s.end(m, s.pipeline.unknownBatcher(output.Batcher))
			return
		}
	}
	for _, output := range split {
		s.send(output)
	}
}

func (s *processor) send(m *message.Message) {
	if s.last == nil || s.last.config.Name != m.Batcher {
		b, ok := s.pipeline.batchers[m.Batcher]
		if !ok {
			s.end(m, s.pipeline.unknownBatcher(m.Batcher))
			return
		}
		s.last = b
	}
	to := &s.forward[s.last.index]
	*to = append(*to, m)
	s.count.forwarded++
}

// fail ends a message that its handler has failed.
func (s *processor) fail(m *message.Message, p *message.Patch) {
	if p.OnFailure != message.AsConfigured {
		m.OnFailure = p.OnFailure
	}
	s.end(m, p.Outcome)
}

// end ends a message here. A failure holds its partition back at once if order
// is to be kept.
func (s *processor) end(m *message.Message, o message.Outcome) {
	if !o.OK() {
		s.count.failed++
		if !s.pipeline.holdBack(m, o) {
			return
		}
	}
	s.ended = append(s.ended, message.Failure{Message: m, Outcome: o})
}

func (s *processor) forwardAll() {
	for _, b := range s.pipeline.batchers {
		if messages := s.forward[b.index]; len(messages) > 0 {
			b.add(messages)
			clear(messages)
			s.forward[b.index] = messages[:0]
		}
	}
}

func (p *Pipeline) unknownBatcher(name string) message.Outcome {
	known := slices.Sorted(maps.Keys(p.batchers))
	return message.Failed(message.Routing,
		fmt.Sprintf("no batcher is named %.64q; the pipeline has: %s", name, strings.Join(known, ", ")))
}
