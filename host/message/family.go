package message

import "sync"

// family is a message and the outputs that were made of it.
type family struct {
	parent *Message

	mu      sync.Mutex
	left    int // outputs that have not ended
	outcome Outcome
}

// Split makes messages of a message's outputs, to go on in its place. The
// message ends when all of them have.
func (m *Message) Split(outputs []Output) []*Message {
	f := &family{parent: m, left: len(outputs)}
	members := make([]Message, len(outputs))
	split := make([]*Message, len(outputs))
	for i := range outputs {
		o, member := &outputs[i], &members[i]
		*member = Message{
			ID: m.ID, Event: m.Event, Position: m.Position, Sequence: m.Sequence, Partition: m.Partition,
			Attempt: m.Attempt, Plugin: m.Plugin, Data: m.Data, Batcher: m.Batcher, BatchKey: m.BatchKey, Flush: m.Flush, family: f,
		}
		member.Apply(&Patch{
			Data: o.Data, Batcher: o.Batcher, BatchKey: o.BatchKey, Flush: o.Flush,
			SetBatcher: o.SetBatcher, SetBatchKey: o.SetBatchKey, SetFlush: o.SetFlush,
		})
		split[i] = member
	}
	return split
}

// Whole reports whether the message is one that came from a source, and none
// that was made of another.
func (m *Message) Whole() bool { return m.family == nil }

// Join ends an output with its outcome. It returns the message that it was made
// of, and that one's outcome, once all of its outputs have ended: ok, or the
// first failure and the plugin version that it failed in, with the last action
// that was wanted. A whole message is returned with its own.
func (m *Message) Join(o Outcome) (*Message, Outcome, bool) {
	f := m.family
	if f == nil {
		return m, o, true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	action := o.Action
	if action == AsConfigured {
		action = f.outcome.Action
	}
	if f.left--; f.outcome.OK() {
		f.outcome, f.parent.Plugin = o, m.Plugin
	}
	f.outcome.Action = action
	return f.parent, f.outcome, f.left == 0
}
