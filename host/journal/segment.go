package journal

import (
	"container/heap"
	"math"
	"math/bits"

	"github.com/relayhost/relayhost/host/message"
)

// segment is what is known of a pull that has unsettled messages, without them.
type segment struct {
	number uint64
	total  uint32
	back   bool // dead letters that were put back

	settled   []byte // a bit for each message, by index
	unsettled int
	bytes     int64 // of the events that are unsettled
	size      int64 // of the value in the store

	positions []int64 // by index
	lowest    int64   // of the unsettled, or lower
	stale     bool    // the message at lowest has settled
	place     int     // in segments, -1 if it is not there

	changed bool // settled is to be written
	bitmap  bool // the store has it
	stored  bool // the store has the messages
}

func newSegment(number uint64, v *segmentValue, size int64) *segment {
	s := &segment{
		number: number, total: v.total, back: v.back, size: size, lowest: math.MaxInt64, place: -1,
		settled: make([]byte, (v.total+7)/8), positions: make([]int64, v.total),
	}
	for i := range s.settled {
		s.settled[i] = 0xff
	}
	for _, m := range v.messages {
		s.settled[m.Entry.Index/8] &^= 1 << (m.Entry.Index % 8)
		s.positions[m.Entry.Index] = m.Position
		s.lowest = min(s.lowest, m.Position)
		s.unsettled++
		s.bytes += int64(len(m.Event))
	}
	return s
}

func (s *segment) isSettled(i uint32) bool {
	return i >= s.total || s.settled[i/8]&(1<<(i%8)) != 0
}

// settle reports false if the message was settled.
func (s *segment) settle(m *message.Message) bool {
	i := m.Entry.Index
	if s.isSettled(i) {
		return false
	}
	s.settled[i/8] |= 1 << (i % 8)
	s.unsettled--
	s.bytes -= int64(len(m.Event))
	s.changed = true
	s.stale = s.stale || s.positions[i] == s.lowest
	return true
}

// refresh makes lowest exact.
func (s *segment) refresh() {
	s.stale, s.lowest = false, math.MaxInt64
	for i, octet := range s.settled {
		for open := ^octet; open != 0; open &= open - 1 {
			if n := i*8 + bits.TrailingZeros8(open); n < len(s.positions) {
				s.lowest = min(s.lowest, s.positions[n])
			}
		}
	}
}

// segments is a heap by the lowest position that each once had: what it is now
// is looked at when a segment is on top.
type segments []*segment

func (h segments) Len() int           { return len(h) }
func (h segments) Less(i, j int) bool { return h[i].lowest < h[j].lowest }
func (h segments) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

// Push is for container/heap.
func (h *segments) Push(x any) {
	s := x.(*segment) //nolint:forcetypeassert // as heap.Push is called here
	s.place = len(*h)
	*h = append(*h, s)
}

// Pop is for container/heap.
func (h *segments) Pop() any {
	last := len(*h) - 1
	s := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	s.place = -1
	return s
}

// drop takes a segment out, if it is there.
func (h *segments) drop(s *segment) {
	if s.place >= 0 {
		heap.Remove(h, s.place)
	}
}

// min is the lowest position of an unsettled message.
func (h *segments) min() (int64, bool) {
	for h.Len() > 0 {
		top := (*h)[0]
		if !top.stale {
			return top.lowest, true
		}
		top.refresh()
		heap.Fix(h, 0)
	}
	return 0, false
}
