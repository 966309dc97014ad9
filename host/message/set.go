package message

import "iter"

// Set is a set of messages, in no order. A message is in one set at a time, and
// has its place there; places are used again, so that adding and removing allocate
// nothing once the set has been as large. The zero value is empty. It is not safe
// for concurrent use.
type Set struct {
	places []*Message // nil where one is free
	free   []uint32
}

// Len is the number of messages in the set.
func (s *Set) Len() int { return len(s.places) - len(s.free) }

// Add puts m in. It panics if m is in a set: a message that is added twice would
// be counted twice.
func (s *Set) Add(m *Message) {
	if m.place != 0 {
		panic("message: " + m.ID + " is in a set already")
	}
	if last := len(s.free) - 1; last >= 0 {
		m.place = s.free[last]
		s.free = s.free[:last]
		s.places[m.place-1] = m
		return
	}
	s.places = append(s.places, m)
	m.place = uint32(len(s.places)) //nolint:gosec // as many as may be in flight
}

// Remove takes m out and reports whether it was in.
func (s *Set) Remove(m *Message) bool {
	i := int(m.place) - 1
	if i < 0 || i >= len(s.places) || s.places[i] != m {
		return false
	}
	s.places[i] = nil
	s.free = append(s.free, m.place)
	m.place = 0
	return true
}

// All yields the messages. The set must not change meanwhile.
func (s *Set) All() iter.Seq[*Message] {
	return func(yield func(*Message) bool) {
		for _, m := range s.places {
			if m != nil && !yield(m) {
				return
			}
		}
	}
}
