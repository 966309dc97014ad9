// Package message holds what flows through a pipeline: a [Message] from its
// source to its settlement, the [Batch] it travels in, and the [Outcome] that
// settles it. Start with [Message].
//
// # Ownership
//
// A message belongs to one goroutine at a time: to the source until it is
// pulled, then to a processor, a batcher, a batch processor. Only
// [Message.Settled] may be called from another goroutine.
package message

import (
	"sync/atomic"
	"time"
)

// DefaultBatcher is the batcher of a message that no handler routed.
const DefaultBatcher = "default"

// Message is one event on its way. A source fills ID, Event and, where it
// tracks one, Position; the rest is the pipeline's. What is small is together: of
// messages there are many, and the garbage collector looks at all of them.
type Message struct {
	// ID is the event's id, for logs, acknowledgement and de-duplication.
	ID string
	// Event is the event as its source sent it. It is never written to, so
	// that a retry and a dead letter have the original.
	Event []byte
	// Position is the source's own place for the event: EventRelay's offset.
	Position int64

	// Received is when the pipeline first got the event, perhaps in an earlier run.
	Received time.Time
	// Entry is the message's place in the journal, zero if it is in none.
	Entry Entry

	// Sequence is the message's place among those that its pipeline received,
	// from 1 on.
	Sequence uint64
	// Partition is the value of the field that the pipeline's processors are
	// partitioned by, if they are.
	Partition string

	// Plugin is the digest of the plugin version that handled the message last,
	// in hex: at each handling, whoever handles it says so, also if it fails. It
	// is empty before.
	Plugin string
	// Data is what a handler put in place of the event's data, nil until then.
	Data []byte
	// Batcher, BatchKey and Flush route the message once it is handled.
	Batcher  string
	BatchKey string
	Flush    bool
	// OnFailure is what a handler wants to become of the message if it fails.
	OnFailure OnFailure
	// Replaced: the processor has asked for another message in its place.
	Replaced bool
	// Attempt is 1 at the first handling.
	Attempt uint32

	settled atomic.Bool
	place   uint32   // in a Set, from 1 on
	outcome *Outcome // nil if it is ok
	family  *family  // of a message that was made of another
}

// Entry is a place in a journal: the Index-th message of the pull that was kept
// as Segment, which is above 0.
type Entry struct {
	Segment uint64
	Index   uint32
}

// Mark says that an event was pulled.
type Mark struct {
	ID       string
	Position int64
	At       time.Time
}

// Settle ends the message's life with o. Only the first call counts; it
// returns true, and any later call returns false and changes nothing.
func (m *Message) Settle(o Outcome) bool {
	if m.settled.Load() {
		return false
	}
	if !o.OK() {
		kept := o // o itself stays off the heap
		m.outcome = &kept
	}
	return m.settled.CompareAndSwap(false, true)
}

// Settled reports whether the message has its outcome.
func (m *Message) Settled() bool { return m.settled.Load() }

// Outcome is how the message ended; meaningful once Settled is true.
func (m *Message) Outcome() Outcome {
	if m.outcome == nil {
		return Outcome{}
	}
	return *m.outcome
}

// Apply takes over what a handler's patch sets. The outcome is not applied: a
// message whose patch failed keeps what it was.
func (m *Message) Apply(p *Patch) {
	if p.Data != nil {
		m.Data = p.Data
	}
	if p.SetBatcher {
		m.Batcher = p.Batcher
	}
	if p.SetBatchKey {
		m.BatchKey = p.BatchKey
	}
	if p.SetFlush {
		m.Flush = p.Flush
	}
	if p.OnFailure != AsConfigured {
		m.OnFailure = p.OnFailure
	}
}

// Begin makes the message what it was when it came, but for its attempt: the
// next handling begins with the original.
func (m *Message) Begin() {
	m.Data, m.Batcher, m.BatchKey, m.Flush, m.OnFailure = nil, DefaultBatcher, "", false, AsConfigured
	m.Plugin = ""
}

// Size is how many bytes the message holds.
func (m *Message) Size() int { return len(m.Event) + len(m.Data) }
