package pipeline

import (
	"context"
	"errors"
	"time"
)

// abandonGrace is how long after the drain's deadline the stages may take to
// notice that work is over.
const abandonGrace = time.Second

// abandon interrupts the handlers and reports what the drain's deadline left
// unsettled. It waits for the
// stages only a moment: a handler that never returns must not hang the host.
func (p *Pipeline) abandon(ctx context.Context, stages <-chan error) error {
	for _, s := range p.processors {
		s.handler.Interrupt()
	}
	for _, b := range p.batchers {
		for _, h := range b.slots {
			h.Interrupt()
		}
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
