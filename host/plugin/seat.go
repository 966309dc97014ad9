package plugin

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/relayhost/relayhost/host/message"
)

// Seat is a slot of a pipeline, for as long as that runs; who sits there are
// slots of the versions that are at work. One goroutine uses it, with Begin
// before each chunk and End after it: its slots change in between.
type Seat struct {
	deployment *Deployment
	stage      message.Stage
	ctx        context.Context //nolint:containedctx // values only, for slots to come

	mu          sync.Mutex // held from Begin to End, and by who changes an idle seat
	crew        atomic.Pointer[crew]
	next        atomic.Pointer[crew] // to be taken before the next chunk, nil if none
	interrupted atomic.Bool

	worked bool // since the last look at it; with mu held

	handover sync.Mutex // held by who changes the crew or closes the seat
	closed   bool

	split split
	seen  uint
}

// crew is the slots at a seat. It never changes, so that Interrupt sees one.
type crew struct {
	live  *Slot // nil at StageFailures if the version has no handle_failed
	old   *Slot // of the version before, for the batches that it has begun
	trial *Slot // of the canary
	on    *trial

	taken chan struct{} // closed when the seat has it
}

func (c *crew) slots() []*Slot {
	return slices.DeleteFunc([]*Slot{c.live, c.old, c.trial}, func(s *Slot) bool { return s == nil })
}

// without are the slots that another crew does not have.
func (c *crew) without(other *crew) []*Slot {
	return slices.DeleteFunc(c.slots(), func(s *Slot) bool { return slices.Contains(other.slots(), s) })
}

// relieve has those that are to go, or to end what they have begun, wait no more
// while their version rests: another takes its messages.
func (c *crew) relieve(next *crew) {
	for _, slot := range c.slots() {
		if slot != next.live && slot != next.trial {
			slot.relieve()
		}
	}
}

// Begin comes before the calls about a chunk.
func (s *Seat) Begin() {
	s.mu.Lock()
	s.worked = true
	s.take()
}

// End comes after them.
func (s *Seat) End() {
	s.mu.Unlock()
	// Whoever left a crew while the lock was held did not get it, also here.
	for s.next.Load() != nil && s.mu.TryLock() {
		s.take()
		s.mu.Unlock()
	}
}

// take changes the crew, if another waits.
func (s *Seat) take() {
	c := s.next.Swap(nil)
	if c == nil {
		return
	}
	s.crew.Store(c)
	if s.interrupted.Load() {
		s.Interrupt()
	}
	close(c.taken)
}

// relieved takes the crew that waits, if one does, in the midst of a chunk: no
// call was made, since the version that is to go rests. What that has made of
// the chunk may come to the live one's batches.
func (s *Seat) relieved(o message.Outcome) bool {
	if !isUnavailable(o) || s.next.Load() == nil {
		return false
	}
	s.take()
	return true
}

func isUnavailable(o message.Outcome) bool { return o.Kind == message.Unavailable }

// change has the seat take a new crew as soon as it is between two chunks, and
// returns the slots that nobody needs any more: all, if the seat is closed.
func (s *Seat) change(to func(*Seat, crew) crew) (free []*Slot) {
	s.handover.Lock()
	defer s.handover.Unlock()
	now := s.crew.Load()
	next := to(s, *now)
	if s.closed {
		return next.slots()
	}
	next.taken = make(chan struct{})
	s.next.Store(&next)
	now.relieve(&next)
	if s.mu.TryLock() {
		s.take()
		s.mu.Unlock()
	}
	<-next.taken
	return now.without(&next)
}

// Interrupt ends the call that runs, and every later one.
func (s *Seat) Interrupt() {
	s.interrupted.Store(true)
	for _, slot := range s.crew.Load().slots() {
		slot.Interrupt()
	}
}

// Close gives the seat's slots back. A change that comes later closes its own.
func (s *Seat) Close(ctx context.Context) error {
	s.handover.Lock()
	defer s.handover.Unlock()
	s.closed = true
	var errs []error
	for _, slot := range s.crew.Swap(&crew{}).slots() {
		errs = append(errs, slot.Close(ctx))
	}
	return errors.Join(errs...)
}

// PrepareMessages calls prepare_messages of the version that is to handle each.
func (s *Seat) PrepareMessages(messages []*message.Message) []message.Patch {
	for {
		patches := s.prepare(s.crew.Load(), messages)
		if len(patches) == 0 || !s.relieved(patches[0].Outcome) {
			return patches
		}
	}
}

func (s *Seat) prepare(c *crew, messages []*message.Message) []message.Patch {
	if c.trial == nil {
		return c.live.prepare(messages)
	}
	return s.split.prepare(c, messages)
}

// prepare leaves messages alone if there is no prepare_messages.
func (s *Slot) prepare(messages []*message.Message) []message.Patch {
	if !s.plugin.prepares {
		return make([]message.Patch, len(messages))
	}
	return s.PrepareMessages(messages)
}

// HandleMessage calls handle_message.
func (s *Seat) HandleMessage(m *message.Message) message.Patch {
	for {
		patch := s.handleMessage(s.crew.Load(), m)
		if !s.relieved(patch.Outcome) {
			return patch
		}
	}
}

func (s *Seat) handleMessage(c *crew, m *message.Message) message.Patch {
	if c.on != nil {
		return c.on.handleMessage(c, m)
	}
	patch := c.live.HandleMessage(m)
	if s.seen++; s.seen&sampled == 0 || s.seen <= recentEvents {
		s.deployment.recent.keep(m, &patch)
	}
	return patch
}

// HandleBatch calls handle_batch of the version that has handled each message;
// the live one has those of versions that are gone. The result is valid until the
// next call.
func (s *Seat) HandleBatch(b *message.Batch) message.BatchResult {
	for {
		result := s.handleBatch(s.crew.Load(), b)
		if i := slices.IndexFunc(result.Outcomes, isUnavailable); i < 0 || !s.relieved(result.Outcomes[i]) {
			return result
		}
	}
}

func (s *Seat) handleBatch(c *crew, b *message.Batch) message.BatchResult {
	if c.old == nil && c.on == nil {
		return c.live.HandleBatch(b)
	}
	return s.split.handle(c, b)
}

// HandleFailed calls handle_failed of the live version.
func (s *Seat) HandleFailed(failures []message.Failure) ([]message.OnFailure, message.Outcome) {
	for {
		c := s.crew.Load()
		if c.live == nil {
			return make([]message.OnFailure, len(failures)), message.Outcome{}
		}
		actions, o := c.live.HandleFailed(failures)
		if !s.relieved(o) {
			return actions, o
		}
	}
}
