package message

import "iter"

// Set is a set of messages that keeps the order in which they were added. A
// message is in one set at a time; adding and removing allocate nothing. The
// zero value is empty. It is not safe for concurrent use.
type Set struct {
	first, last *Message
	size        int
}

// Len is the number of messages in the set.
func (s *Set) Len() int { return s.size }

// Add puts m at the end. It panics if m is in a set: a message that is added
// twice would be counted twice.
func (s *Set) Add(m *Message) {
	if m.set != nil {
		panic("message: " + m.ID + " is in a set already")
	}
	m.set, m.prev, m.next = s, s.last, nil
	if s.last == nil {
		s.first = m
	} else {
		s.last.next = m
	}
	s.last = m
	s.size++
}

// Remove takes m out and reports whether it was in.
func (s *Set) Remove(m *Message) bool {
	if m.set != s {
		return false
	}
	if m.prev == nil {
		s.first = m.next
	} else {
		m.prev.next = m.next
	}
	if m.next == nil {
		s.last = m.prev
	} else {
		m.next.prev = m.prev
	}
	m.set, m.prev, m.next = nil, nil, nil
	s.size--
	return true
}

// All yields the messages in the order in which they were added. The set must
// not change meanwhile.
func (s *Set) All() iter.Seq[*Message] {
	return func(yield func(*Message) bool) {
		for m := s.first; m != nil; m = m.next {
			if !yield(m) {
				return
			}
		}
	}
}
