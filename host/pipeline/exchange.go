package pipeline

import (
	"context"

	"github.com/relayhost/relayhost/host/message"
)

// exchange tells a slot's handler where chunks begin and end, if it wants to
// know.
type exchange struct{ handler Exchanger }

func newExchange(h Handler) exchange {
	e, _ := h.(Exchanger)
	return exchange{e}
}

func (e exchange) begin() {
	if e.handler != nil {
		e.handler.Begin()
	}
}

func (e exchange) end() {
	if e.handler != nil {
		e.handler.End()
	}
}

// Flush has every batch emitted as it is, and waits until these, and those that
// were emitted before, have been handled, or the pipeline has ended. It returns
// ctx's error if that ends first.
func (p *Pipeline) Flush(ctx context.Context) error {
	var waits []<-chan struct{}
	for _, b := range p.batchers {
		for _, l := range b.lanes {
			waits = append(waits, l.flush())
		}
	}
	for _, handled := range waits {
		select {
		case <-handled:
		case <-p.ended:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// generation is the batches that were opened between two flushes.
type generation struct {
	left    int           // not handled, and one for the generation before; the lane's lock guards it
	next    *generation   // nil until the flush: no more are opened then
	handled chan struct{} // closed when none is left after the flush
}

func newGeneration() *generation { return &generation{handled: make(chan struct{})} }

func (g *generation) check() {
	if g.next == nil || g.left > 0 {
		return
	}
	close(g.handled)
	g.next.left--
	g.next.check()
}

// flush emits all open batches, and returns a channel that is closed when all
// of their generation, and of those before, have been handled.
func (l *batchLane) flush() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	for o := l.oldest(); o != nil; o = l.oldest() {
		l.emit(o, message.TriggerFlush)
	}
	g := l.generation
	l.generation = newGeneration()
	g.next, l.generation.left = l.generation, 1
	g.check()
	l.signal()
	return g.handled
}

// handled says that a batch that was taken needs its handler no more.
func (l *batchLane) handled(o *openBatch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o.generation.left--
	o.generation.check()
}
