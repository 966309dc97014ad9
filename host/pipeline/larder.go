package pipeline

import (
	"sync"

	"github.com/relayhost/relayhost/host/message"
)

// larder holds what was taken in and no processor has asked for yet, in the order
// in which it came.
type larder struct {
	mu    sync.Mutex
	pulls [][]*message.Message
}

// receive takes messages, so many of them recovered, into the books, and hands
// the processors what they have asked for.
func (p *Pipeline) receive(messages []*message.Message, recovered int) {
	if len(messages) == 0 {
		return
	}
	for _, m := range messages {
		m.Begin()
		m.Attempt = 1
		if by := p.config.Processors.PartitionBy; by != nil {
			m.Partition = by.Value(m)
		}
	}
	p.larder.mu.Lock()
	defer p.larder.mu.Unlock()
	p.ledger.receive(messages, recovered)
	p.enter(len(messages))
	p.larder.pulls = append(p.larder.pulls, messages)
	p.handOut()
}

// ask asks for n more messages for a processor, and hands out what is held.
func (p *Pipeline) ask(processor, n int) {
	if n == 0 {
		return
	}
	p.demand.ask(processor, n)
	p.larder.mu.Lock()
	defer p.larder.mu.Unlock()
	p.handOut()
}

// handOut gives the processors what they have asked for of what is held. The
// larder is locked.
func (p *Pipeline) handOut() {
	pulls := p.larder.pulls
	for len(pulls) > 0 {
		i, n := p.destine(pulls[0])
		if n == 0 {
			break
		}
		p.processors[i].inbox.put(pulls[0][:n]...)
		if pulls[0] = pulls[0][n:]; len(pulls[0]) == 0 {
			pulls[0] = nil // the slice holds on to no messages
			pulls = pulls[1:]
		}
	}
	if p.larder.pulls = pulls; len(pulls) == 0 {
		p.larder.pulls = nil
	}
}

// destine finds the processor that gets the first messages, and how many of them:
// none if there is no demand.
func (p *Pipeline) destine(messages []*message.Message) (processor, n int) {
	if p.config.Processors.PartitionBy == nil {
		return p.demand.assign(min(len(messages), p.chunk()))
	}
	processor, n = slot(messages[0].Partition, len(p.processors)), 1
	for n < len(messages) && slot(messages[n].Partition, len(p.processors)) == processor {
		n++
	}
	return processor, p.demand.charge(processor, n)
}
