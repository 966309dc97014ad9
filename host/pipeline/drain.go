package pipeline

import (
	"context"
	"errors"
	"time"
)

// abandonGrace is how long after the drain's deadline the stages may take to
// notice that work is over.
const abandonGrace = time.Second

// drain has what is in flight worked off: nothing more comes.
func (p *Pipeline) drain() {
	p.draining.Store(true)
	p.wakeBatchers()
	p.checkDrained()
}

// flushing reports whether partial batches are to be emitted: the pipeline
// drains, and nothing is on its way to a batcher.
func (p *Pipeline) flushing() bool { return p.draining.Load() && p.upstream.Load() == 0 }

// enter counts messages that are dispatched to a processor.
func (p *Pipeline) enter(n int) { p.upstream.Add(int64(n)) }

// leave counts messages that a processor has done with.
func (p *Pipeline) leave(n int) {
	if p.upstream.Add(-int64(n)) > 0 {
		return
	}
	p.relieve()
	if p.draining.Load() {
		p.wakeBatchers()
		p.checkDrained()
	}
}

func (p *Pipeline) wakeBatchers() {
	for _, b := range p.batchers {
		for _, l := range b.lanes {
			l.signal()
		}
	}
}

// checkDrained ends the drain when all that is in flight waits behind messages
// that have halted their partitions: nothing but an operator moves those.
func (p *Pipeline) checkDrained() {
	if !p.draining.Load() {
		return
	}
	if _, stuck := p.gate.stuck(); p.ledger.len() == stuck {
		p.drainOnce.Do(func() { close(p.drained) })
	}
}

// abandon interrupts the handlers and reports what the drain's deadline left
// unsettled. It waits for the stages only a moment: a handler that never returns
// must not hang the host.
func (p *Pipeline) abandon(ctx context.Context, stages <-chan error) error {
	for _, h := range p.handlers() {
		h.Interrupt()
	}
	grace := time.NewTimer(abandonGrace)
	defer grace.Stop()
	select {
	case <-stages: //nolint:errcheck // the source's error comes of the cut
		return errors.Join(p.unsettled(), p.closeHandlers(context.WithoutCancel(ctx)))
	case <-grace.C:
		p.log.Error("a handler has not returned though it was interrupted; its goroutine is abandoned")
		return p.unsettled()
	}
}
