package pipeline

import (
	"context"
	"sync"
)

// inbox holds what has been put for one taker. It has no bound of its own: what
// is in flight bounds it.
type inbox[T any] struct {
	mu      sync.Mutex
	waiting []T
	closed  bool
	wake    chan struct{}
}

func newInbox[T any]() *inbox[T] { return &inbox[T]{wake: make(chan struct{}, 1)} }

func (b *inbox[T]) put(items ...T) {
	b.mu.Lock()
	b.waiting = append(b.waiting, items...)
	b.mu.Unlock()
	b.signal()
}

// close says that nothing more will come.
func (b *inbox[T]) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.signal()
}

// take waits for something and returns all there is, in exchange for a slice to
// put what comes next in. It returns nil when the inbox is closed and empty, or
// ctx is done.
func (b *inbox[T]) take(ctx context.Context, spare []T) []T {
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

func (b *inbox[T]) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}
