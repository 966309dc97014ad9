package pipeline

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/relayhost/relayhost/host/message"
)

// gate holds back the messages of partitions in which an earlier one has to be
// tried again, in order, or has halted its partition. While there is no such
// partition it costs one load of a number per message.
type gate struct {
	shut atomic.Int64 // lanes

	mu    sync.Mutex
	lanes map[string]*lane
}

// lane is one partition that is held back.
type lane struct {
	head    *message.Message // the one that the others wait for
	waiting []*message.Message
	halted  bool
}

func newGate() *gate { return &gate{lanes: make(map[string]*lane)} }

// admit reports whether a message may go on. If not, it waits here: it came
// after the one that holds its partition.
func (g *gate) admit(m *message.Message) bool {
	if g.shut.Load() == 0 {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.lanes[m.Partition]
	if l == nil || m.Sequence <= l.head.Sequence {
		return true
	}
	l.park(m)
	return false
}

// park keeps the order in which the messages came.
func (l *lane) park(m *message.Message) {
	m.Begin()
	i, _ := slices.BinarySearchFunc(l.waiting, m, func(a, b *message.Message) int {
		return int(int64(a.Sequence) - int64(b.Sequence)) //nolint:gosec // far from either end
	})
	l.waiting = slices.Insert(l.waiting, i, m)
}

// hold shuts a message's partition behind it, for good if it is halted. It
// reports false if an earlier one holds it already: then m waits for that one.
// A later one that held it waits behind m; if it is displaced, it waits for its
// attempt elsewhere, and should wait here.
func (g *gate) hold(m *message.Message, halted bool) (held bool, displaced *message.Message) {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.lanes[m.Partition]
	switch {
	case l == nil:
		l = &lane{head: m}
		g.lanes[m.Partition] = l
		g.shut.Add(1)
	case l.head == m:
	case m.Sequence < l.head.Sequence && l.halted:
		l.park(l.head)
		l.head, l.halted = m, false
	case m.Sequence < l.head.Sequence:
		displaced, l.head = l.head, m
	default:
		l.park(m)
		return false, nil
	}
	l.halted = l.halted || halted
	return true, displaced
}

// open opens the partition that m held, and returns those that waited, in
// order. They must be handled before any other of their partition: by the
// processor that all of them belong to.
func (g *gate) open(m *message.Message) []*message.Message {
	if g.shut.Load() == 0 {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.lanes[m.Partition]
	if l == nil || l.head != m {
		return nil
	}
	g.remove(m.Partition)
	return l.waiting
}

// next has the first that waited behind m hold the partition in m's place, and
// returns it, nil if none waited: then the partition is open.
func (g *gate) next(m *message.Message) *message.Message {
	if g.shut.Load() == 0 {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.lanes[m.Partition]
	if l == nil || l.head != m {
		return nil
	}
	return g.advance(m.Partition, l)
}

func (g *gate) advance(partition string, l *lane) *message.Message {
	if len(l.waiting) == 0 {
		g.remove(partition)
		return nil
	}
	l.head, l.waiting, l.halted = l.waiting[0], l.waiting[1:], false
	return l.head
}

func (g *gate) remove(partition string) {
	delete(g.lanes, partition)
	g.shut.Add(-1)
}

// resume gives a halted partition's first message back.
func (g *gate) resume(partition string) *message.Message {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.lanes[partition]
	if l == nil || !l.halted {
		return nil
	}
	l.halted = false
	return l.head
}

// stuck is how many partitions are halted, and how many messages they hold.
func (g *gate) stuck() (partitions, messages int) {
	if g.shut.Load() == 0 {
		return 0, 0
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, l := range g.lanes {
		if l.halted {
			partitions++
			messages += 1 + len(l.waiting)
		}
	}
	return partitions, messages
}
