package journal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/relayhost/relayhost/host/message"
)

// InboxOptions say whose inbox it is.
type InboxOptions struct {
	Pipeline string
	// Remember keeps the ids and positions of what was appended, settled or
	// not, until they are forgotten.
	Remember bool
}

// ErrStopped is a stop that came before a pull was safe.
var ErrStopped = errors.New("stopped before they were safe")

// Inbox is a pipeline's part of a journal. It is safe for concurrent use.
type Inbox struct {
	j *Journal
	o InboxOptions
	p *pipeline
}

// Inbox is the inbox of a pipeline. A pipeline has one.
func (j *Journal) Inbox(o InboxOptions) (*Inbox, error) {
	if o.Pipeline == "" {
		return nil, errors.New("inbox: the pipeline has no name")
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return nil, ErrClosed
	}
	p := j.pipeline(o.Pipeline)
	if p.inbox {
		return nil, fmt.Errorf("inbox: pipeline %q has its inbox already", o.Pipeline)
	}
	p.inbox = true
	if len(p.recoverable) > 0 {
		p.notify()
	}
	return &Inbox{j: j, o: o, p: p}, nil
}

// Close gives the inbox back: the pipeline may have another.
func (i *Inbox) Close() {
	i.j.mu.Lock()
	defer i.j.mu.Unlock()
	i.p.inbox = false
}

// Admit waits while the journal is full or its disk fails. It reports false if
// stop was closed first, or the journal.
func (i *Inbox) Admit(stop <-chan struct{}) bool {
	for {
		i.j.mu.Lock()
		admitted, closed, changed := i.j.bytes < i.j.o.MaxBytes && i.j.trouble == nil, i.j.closed, i.j.changed
		i.j.mu.Unlock()
		if closed {
			return false
		}
		select {
		case <-stop:
			return false
		default:
		}
		if admitted {
			return true
		}
		select {
		case <-stop:
			return false
		case <-changed:
		}
	}
}

// Append keeps the messages of a pull. When it returns nil they are safe, as
// Options.Fsync says. It waits out a disk that fails until stop is closed, and
// one that hangs until ctx is done; then they are not known to be safe.
func (i *Inbox) Append(ctx context.Context, stop <-chan struct{}, messages []*message.Message) error {
	if len(messages) == 0 {
		return nil
	}
	a, err := i.enqueue(messages)
	if err != nil {
		return err
	}
	for {
		changed, stopped := i.j.untroubled(), stop
		if changed != nil {
			stopped = nil // it will not last
		}
		select {
		case err := <-a.done:
			return err
		case <-ctx.Done():
			return i.giveUp(a, ctx.Err())
		case <-stopped:
			return i.giveUp(a, ErrStopped)
		case <-i.j.over:
			return i.giveUp(a, ErrClosed)
		case <-changed:
		}
	}
}

// untroubled is what is closed when the journal's state changes, nil while the
// store cannot be used.
func (j *Journal) untroubled() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.trouble != nil {
		return nil
	}
	return j.changed
}

// appending is a pull on its way into the store.
type appending struct {
	task
	messages []*message.Message
	value    segmentValue
	segment  *segment
	marks    marks
}

func (i *Inbox) enqueue(messages []*message.Message) (*appending, error) {
	if len(messages) > maxPull {
		return nil, fmt.Errorf("journal: a pull of %d messages, and %d are the most", len(messages), maxPull)
	}
	now := time.Now()
	a := &appending{messages: messages, value: segmentValue{total: uint32(len(messages)), received: now, messages: messages}} //nolint:gosec // checked
	highest := int64(math.MinInt64)
	for n, m := range messages {
		m.Entry.Index = uint32(n) //nolint:gosec // checked
		if m.Received.IsZero() {
			m.Received = now
		}
		highest = max(highest, m.Position)
	}
	a.size = segmentBound(&a.value)
	i.j.mu.Lock()
	defer i.j.mu.Unlock()
	if i.j.closed {
		clearEntries(messages)
		return nil, ErrClosed
	}
	number := i.j.number()
	for _, m := range messages {
		m.Entry.Segment = number
	}
	a.segment = newSegment(number, &a.value, int64(a.size))
	i.j.add(i.p, a.segment)
	a.marks = marks{segment: number, highest: highest}
	a.apply = func(b *pebble.Batch, k *books) error { return i.write(a, b, k) }
	a.committed = func() { i.committed(a) }
	i.j.submit(&a.task)
	return a, nil
}

// keepScratch is the largest buffer that is kept for the next pull.
const keepScratch = 4 << 20

// write encodes the pull into the batch.
func (i *Inbox) write(a *appending, b *pebble.Batch, k *books) error {
	number := a.segment.number
	value := appendSegment(slices.Grow(i.j.scratch[:0], segmentBound(&a.value)), &a.value)
	i.j.scratch = value[:0]
	if cap(value) > keepScratch {
		i.j.scratch = nil
	}
	a.size = len(value)
	if err := b.Set(segmentKey(keySegment, i.p.number, number), value, nil); err != nil {
		return err
	}
	k.segments++
	if !i.o.Remember {
		return nil
	}
	value = appendMarks(nil, a.value.received, a.messages)
	k.marks++
	return b.Set(segmentKey(keyMarks, i.p.number, number), value, nil)
}

// committed takes note of what was written. The journal is locked.
func (i *Inbox) committed(a *appending) {
	a.segment.stored = true
	i.j.resize(i.p, a.segment, int64(a.size))
	if i.o.Remember {
		i.p.remember(a.marks)
	}
}

// giveUp takes a pull back that was not begun to be written. One that was is
// left: it may be safe, and is taken out when its messages settle.
func (i *Inbox) giveUp(a *appending, err error) error {
	i.j.mu.Lock()
	defer i.j.mu.Unlock()
	err = fmt.Errorf("keep %d events in the journal: %w", len(a.messages), err)
	if i.j.trouble != nil {
		err = fmt.Errorf("%w: %w", err, i.j.trouble)
	}
	if a.taken {
		return err
	}
	i.j.withdraw(&a.task)
	i.j.drop(i.p, a.segment)
	clearEntries(a.messages)
	i.j.wake()
	return err
}

func clearEntries(messages []*message.Message) {
	for _, m := range messages {
		m.Entry = message.Entry{}
	}
}

// Recoverable has an item when there may be more to Recover.
func (i *Inbox) Recoverable() <-chan struct{} { return i.p.wake }

// Recover returns up to n messages that an earlier run left, or that were put
// back, each once; none while the disk fails.
func (i *Inbox) Recover(n int) ([]*message.Message, error) {
	for {
		i.j.mu.Lock()
		if len(i.p.rest) > 0 {
			n = min(n, len(i.p.rest))
			messages := i.p.rest[:n:n]
			i.p.rest = i.p.rest[n:]
			i.j.mu.Unlock()
			return messages, nil
		}
		if len(i.p.recoverable) == 0 {
			i.j.mu.Unlock()
			return nil, nil
		}
		s, g := i.p.recoverable[0], i.j.store
		i.j.mu.Unlock()
		if err := i.load(g, s); err != nil {
			if passing(g.err()) {
				return nil, nil // Recoverable has an item when the store is back
			}
			return nil, err
		}
	}
}

// passing reports whether err is of a disk that may work again.
func passing(err error) bool {
	f, ok := errors.AsType[*FaultError](err)
	return ok && !f.Damaged
}

// load reads the messages of the first segment that can be recovered.
func (i *Inbox) load(g *generation, s *segment) error {
	var v *segmentValue
	err := g.read(func(db *pebble.DB) error {
		value, err := get(db, segmentKey(keySegment, i.p.number, s.number))
		if err != nil {
			return err
		}
		v, err = decodeSegment(value)
		return err
	})
	if err != nil {
		return fmt.Errorf("recover events of pipeline %q: %w", i.p.name, err)
	}
	i.j.mu.Lock()
	defer i.j.mu.Unlock()
	if len(i.p.recoverable) == 0 || i.p.recoverable[0] != s {
		return nil // another call was faster
	}
	i.p.recoverable = i.p.recoverable[1:]
	for _, m := range v.messages {
		if m.Entry.Segment = s.number; !s.isSettled(m.Entry.Index) {
			i.p.rest = append(i.p.rest, m)
		}
	}
	return nil
}

// get is a copy of a key's value.
func get(db *pebble.DB, key []byte) ([]byte, error) {
	value, closer, err := db.Get(key)
	if err != nil {
		return nil, err
	}
	defer func() { _ = closer.Close() }()
	return append([]byte(nil), value...), nil
}

// Settle takes messages out, each with its outcome: a dead letter is kept aside.
// It does not wait.
func (i *Inbox) Settle(messages []*message.Message) {
	now := time.Now()
	i.j.mu.Lock()
	defer i.j.mu.Unlock()
	if i.j.closed {
		return
	}
	for _, m := range messages {
		i.settle(m, now)
	}
	i.j.kickCommitter()
	i.j.wake()
}

func (i *Inbox) settle(m *message.Message, now time.Time) {
	if m.Entry.Segment != 0 {
		s := i.p.segments[m.Entry.Segment]
		if s == nil {
			return
		}
		changed := s.changed
		if !s.settle(m) {
			return
		}
		i.p.unsettled--
		i.p.unsettledBytes -= int64(len(m.Event))
		if !changed {
			i.j.queue.changed = append(i.j.queue.changed, ownedSegment{i.p, s})
		}
		if s.unsettled == 0 {
			i.j.drop(i.p, s)
		}
	}
	if o := m.Outcome(); !o.OK() && o.Action == message.DeadLetter {
		i.bury(m, o, now)
	}
}

// bury keeps a message as a dead letter.
func (i *Inbox) bury(m *message.Message, o message.Outcome, now time.Time) {
	value := appendLetter(nil, &DeadLetter{
		Pipeline: i.p.name, EventID: m.ID, Position: m.Position, Event: m.Event, Kind: o.Kind, Reason: o.Reason, Trace: o.Trace,
		Attempts: m.Attempt, Plugin: m.Plugin, Received: m.Received, Failed: now,
	})
	i.j.queue.letters = append(i.j.queue.letters, letter{i.j.number(), value})
	i.j.bytes += int64(len(value))
	i.p.letters++
}

// Remembered is what was appended, settled or not, and is not forgotten; only
// an inbox with Remember has any.
func (i *Inbox) Remembered() ([]message.Mark, error) {
	i.j.mu.Lock()
	g, floor, hasFloor := i.j.store, i.p.floor, i.p.hasFloor
	i.j.mu.Unlock()
	var all []message.Mark
	err := g.read(func(db *pebble.DB) error {
		return scan(db, pipelineKey(keyMarks, i.p.number), func(_ key, value []byte) error {
			marks, err := decodeMarks(value)
			for _, m := range marks {
				if !hasFloor || m.Position > floor {
					all = append(all, m)
				}
			}
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read what pipeline %q remembers: %w", i.p.name, err)
	}
	return all, nil
}

// Floor is what Forget last set.
func (i *Inbox) Floor() (position int64, ok bool) {
	i.j.mu.Lock()
	defer i.j.mu.Unlock()
	return i.p.floor, i.p.hasFloor
}

// Forget sets the floor, unless it is higher: what is remembered at or below it
// is dropped. It does not wait.
func (i *Inbox) Forget(floor int64) {
	i.j.mu.Lock()
	defer i.j.mu.Unlock()
	if i.p.hasFloor && floor <= i.p.floor || i.j.closed {
		return
	}
	i.p.floor, i.p.hasFloor = floor, true
	if !i.p.moved {
		i.p.moved = true
		i.j.queue.moved = append(i.j.queue.moved, i.p)
	}
	for _, m := range i.p.forgotten() {
		i.j.queue.dropped = append(i.j.queue.dropped, ownedMarks{i.p, m})
	}
	i.j.kickCommitter()
	i.j.wake()
}

// Lowest is the lowest position of an unsettled message. Dead letters that were
// put back do not count: they are no reason to read anything again.
func (i *Inbox) Lowest() (position int64, ok bool) {
	i.j.mu.Lock()
	defer i.j.mu.Unlock()
	return i.p.byPosition.min()
}

func appendFloor(floor int64) []byte { return binary.AppendVarint([]byte{wireVersion}, floor) }

func decodeFloor(data []byte) (int64, error) {
	r, err := open(data)
	if err != nil {
		return 0, err
	}
	floor := r.varint()
	return floor, r.end()
}
