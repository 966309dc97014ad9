package plugin

import (
	"slices"

	"github.com/relayhost/relayhost/host/message"
)

// split gives the messages of a batch, or of a chunk, to the versions that they
// belong to. It is a seat's memory for that.
type split struct {
	owners   []*Slot // of the batch's messages, by position
	part     message.Batch
	places   []int
	outcomes []message.Outcome
	records  []message.Record
}

// inOrder are the slots in the order in which they get their parts: the version
// before first, since messages of a key came to it first; the live one last, since
// it has the parts of those that are not called any more, and what it returns is
// valid until it is called again. The canary's keys are no others'.
func (c *crew) inOrder() [3]*Slot { return [3]*Slot{c.old, c.trial, c.live} }

// owner is the slot of the version that has handled a message, the live one if
// that is gone or rests.
func (c *crew) owner(m *message.Message) *Slot {
	for _, s := range c.inOrder() {
		if s != nil && s != c.live && s.plugin.digest == m.Plugin && m.Plugin != c.live.plugin.digest && !s.plugin.breaker.open() {
			return s
		}
	}
	return c.live
}

// handle has each version handle its own part of a batch. Whose a message is is
// found once: a version may come to rest meanwhile.
func (s *split) handle(c *crew, b *message.Batch) message.BatchResult {
	s.outcomes, s.records = append(s.outcomes[:0], make([]message.Outcome, len(b.Messages))...), s.records[:0]
	s.owners = s.owners[:0]
	for _, m := range b.Messages {
		s.owners = append(s.owners, c.owner(m))
	}
	for _, slot := range c.inOrder() {
		switch s.takeOf(slot, b.Messages); {
		case len(s.places) == 0:
		case len(s.places) < len(b.Messages):
			s.handlePart(c, slot, b)
		default:
			if result := c.handleBatch(slot, b); slot == c.live || !notCalled(result) {
				return result
			}
			s.leaveToLive(c)
		}
	}
	clear(s.part.Messages)
	b.Plugin = "" // each message has its own
	return message.BatchResult{Outcomes: s.outcomes, Records: s.records}
}

// takeOf makes the messages of a slot the part.
func (s *split) takeOf(slot *Slot, messages []*message.Message) {
	i := -1
	s.take(messages, func(*message.Message) bool { i++; return slot != nil && s.owners[i] == slot })
}

// handlePart has a slot handle the part of a batch, or leaves it to the live one.
func (s *split) handlePart(c *crew, slot *Slot, b *message.Batch) {
	s.part.Batcher, s.part.Key, s.part.Partition, s.part.Trigger = b.Batcher, b.Key, b.Partition, b.Trigger
	result := c.handleBatch(slot, &s.part)
	if slot != c.live && notCalled(result) {
		s.leaveToLive(c)
		return
	}
	for i, place := range s.places {
		s.outcomes[place] = result.Outcomes[i]
	}
	s.records = append(s.records, result.Records...)
}

// notCalled reports whether the version was not called, since it is not any more.
func notCalled(r message.BatchResult) bool { return slices.ContainsFunc(r.Outcomes, isUnavailable) }

// leaveToLive gives the part to the live version, whose turn comes last.
func (s *split) leaveToLive(c *crew) {
	for _, place := range s.places {
		s.owners[place] = c.live
	}
}

// handleBatch is measured while there is a trial.
func (c *crew) handleBatch(slot *Slot, b *message.Batch) message.BatchResult {
	if c.on != nil {
		return c.on.handleBatch(c, slot, b)
	}
	return slot.HandleBatch(b)
}

// prepare has each version prepare those that it will handle. What the candidate
// fails the live one prepares.
func (s *split) prepare(c *crew, messages []*message.Message) []message.Patch {
	patches := make([]message.Patch, len(messages))
	s.take(messages, c.on.tries)
	if len(s.places) > 0 {
		c.on.prepare(c.trial, s.part.Messages, patches, s.places)
	}
	prepared := make(map[*message.Message]bool, len(s.places))
	for i, place := range s.places {
		prepared[s.part.Messages[i]] = patches[place].OK()
	}
	s.take(messages, func(m *message.Message) bool { return !prepared[m] })
	if len(s.places) > 0 {
		place(patches, s.places, c.live.prepare(s.part.Messages))
	}
	clear(s.part.Messages)
	return patches
}

// place puts patches of a part in their places.
func place(patches []message.Patch, places []int, part []message.Patch) {
	for i, p := range part {
		patches[places[i]] = p
	}
}

// take makes those that are chosen the part, and notes their places.
func (s *split) take(messages []*message.Message, chosen func(*message.Message) bool) {
	s.part.Messages, s.places = s.part.Messages[:0], s.places[:0]
	for i, m := range messages {
		if chosen(m) {
			s.part.Messages, s.places = append(s.part.Messages, m), append(s.places, i)
		}
	}
}
