package plugin

import (
	"slices"

	"github.com/relayhost/relayhost/host/message"
)

// split gives the messages of a batch, or of a chunk, to the versions that they
// belong to. It is a seat's memory for that.
type split struct {
	part     message.Batch
	places   []int
	outcomes []message.Outcome
	records  []message.Record
}

// inOrder are the slots in the order in which messages of the same key may have
// come to them.
func (c *crew) inOrder() [3]*Slot { return [3]*Slot{c.old, c.live, c.trial} }

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

// handle has each version handle its own part of a batch.
func (s *split) handle(c *crew, b *message.Batch) message.BatchResult {
	s.outcomes, s.records = append(s.outcomes[:0], make([]message.Outcome, len(b.Messages))...), s.records[:0]
	for _, slot := range c.inOrder() {
		if slot == nil {
			continue
		}
		s.take(b.Messages, func(m *message.Message) bool { return c.owner(m) == slot })
		if len(s.places) == 0 {
			continue
		}
		if len(s.places) == len(b.Messages) {
			clear(s.part.Messages)
			return c.handleBatch(slot, b)
		}
		s.part.Batcher, s.part.Key, s.part.Partition, s.part.Trigger = b.Batcher, b.Key, b.Partition, b.Trigger
		result := c.handleBatch(slot, &s.part)
		for i, place := range s.places {
			s.outcomes[place] = result.Outcomes[i]
		}
		s.records = append(s.records, result.Records...)
	}
	clear(s.part.Messages)
	b.Plugin = "" // each message has its own
	return message.BatchResult{Outcomes: s.outcomes, Records: s.records}
}

// handleBatch is measured while there is a trial. What a version is not called for
// any more, the live one handles.
func (c *crew) handleBatch(slot *Slot, b *message.Batch) message.BatchResult {
	result := c.measureBatch(slot, b)
	if slot != c.live && slices.ContainsFunc(result.Outcomes, isUnavailable) {
		return c.measureBatch(c.live, b)
	}
	return result
}

func (c *crew) measureBatch(slot *Slot, b *message.Batch) message.BatchResult {
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
