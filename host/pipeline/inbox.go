package pipeline

import (
	"context"
	"sync"

	"github.com/relayhost/relayhost/host/message"
)

// inbox holds what producers brought for one processor. It has no bound of its
// own: the processor's credit bounds it.
type inbox struct {
	mu      sync.Mutex
	waiting []*message.Message
	closed  bool
	wake    chan struct{}
}

func newInbox() *inbox { return &inbox{wake: make(chan struct{}, 1)} }

func (b *inbox) put(messages []*message.Message) {
	b.mu.Lock()
	b.waiting = append(b.waiting, messages...)
	b.mu.Unlock()
	b.signal()
}

// close says that nothing more will come.
func (b *inbox) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.signal()
}

// take waits for messages and returns all there are, in exchange for a slice to
// put the next ones in. It returns nil when the inbox is closed and empty, or
// ctx is done.
func (b *inbox) take(ctx context.Context, spare []*message.Message) []*message.Message {
	for {
		b.mu.Lock()
		taken, closed := b.waiting, b.closed
		if len(taken) > 0 {
			clear(spare)
			b.waiting = spare[:0]
		}
		b.mu.Unlock()
		if len(taken) > 0 {
			return taken
		}
		if closed {
			return nil
		}
		select {
		case <-b.wake:
		case <-ctx.Done():
			return nil
		}
	}
}

func (b *inbox) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}
