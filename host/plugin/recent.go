package plugin

import (
	"sync"

	"github.com/relayhost/relayhost/host/message"
)

const (
	// recentEvents is how many events are kept to try a new version on.
	recentEvents = 16
	// sampled: of later events, one in so many (a power of two) less one.
	sampled = 255
	// recentSize is the size of the largest event that is kept, in bytes.
	recentSize = 64 << 10
)

// recent is a sample of the events that the live version has handled well.
type recent struct {
	mu     sync.Mutex
	events [recentEvents]*message.Message
	next   int
}

// keep keeps what a source has given of a message, in place of the oldest.
func (r *recent) keep(m *message.Message, p *message.Patch) {
	if !p.OK() || len(m.Event) > recentSize {
		return
	}
	kept := before(m)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events[r.next] = kept
	r.next = (r.next + 1) % recentEvents
}

// messages are new ones of the events that are kept.
func (r *recent) messages() (all []*message.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.events {
		if m != nil {
			m = before(m)
			m.Attempt = 1
			all = append(all, m)
		}
	}
	return all
}

// before is a message as it was before it was handled.
func before(m *message.Message) *message.Message {
	return &message.Message{
		ID: m.ID, Event: m.Event, Position: m.Position, Partition: m.Partition,
		Attempt: m.Attempt, Batcher: message.DefaultBatcher,
	}
}
