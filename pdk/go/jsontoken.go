package relay

import (
	"encoding/binary"
	"math/bits"
)

// peek is the next byte, or 0 at the end, where no token begins with 0 either.
func (s *scanner) peek() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

func (s *scanner) space() {
	for s.pos < len(s.text) && s.text[s.pos] <= ' ' {
		if c := s.text[s.pos]; c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return
		}
		s.pos++
	}
}

// malformed notes that the byte at pos cannot stand there.
func (s *scanner) malformed() bool {
	s.miss = miss{fault: cutOff, pos: s.pos}
	if s.pos < len(s.text) {
		s.miss.fault, s.miss.seen = unexpected, s.text[s.pos]
	}
	return false
}

func (s *scanner) literal(word string) bool {
	for i := range len(word) {
		if s.peek() != word[i] {
			return s.malformed()
		}
		s.pos++
	}
	return true
}

func (s *scanner) number() bool {
	if s.peek() == '-' {
		s.pos++
	}
	if s.peek() == '0' {
		s.pos++
	} else if !s.digits() {
		return false
	}
	if s.peek() == '.' {
		s.pos++
		if !s.digits() {
			return false
		}
	}
	if s.peek()|0x20 != 'e' {
		return true
	}
	s.pos++
	if c := s.peek(); c == '+' || c == '-' {
		s.pos++
	}
	return s.digits()
}

// digits reads one digit or more.
func (s *scanner) digits() bool {
	start := s.pos
	for digit(s.peek()) {
		s.pos++
	}
	return s.pos > start || s.malformed()
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// str reads a string with its quotes.
//
// It looks at eight bytes at once for those that end it or need a look, which
// is what makes the scanner fast in a guest: there a turn of a loop costs as
// much as a dozen additions.
func (s *scanner) str() bool {
	if s.peek() != '"' {
		return s.malformed()
	}
	s.plain = true
	text, i := s.text, s.pos+1
	for i < len(text) {
		if len(text)-i >= 8 {
			special := specials(binary.LittleEndian.Uint64(text[i:]))
			if special == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(special) / 8
		}
		c := text[i]
		if c == '"' {
			s.pos = i + 1
			return true
		}
		if ' ' <= c && c < 0x80 && c != '\\' {
			i++
			continue
		}
		if s.pos = i; !s.unusual(c) {
			return false
		}
		i = s.pos
	}
	s.pos = i
	return s.malformed()
}

// specials has the high bit set of each of eight bytes that does not simply go
// on a string: a quote, a backslash, a control character, or not ASCII. Above
// the first of them, a borrow may have set others.
func specials(x uint64) uint64 {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	quote, backslash := x^ones*'"', x^ones*'\\'
	return (x | (x-ones*' ')&^x | (quote-ones)&^quote | (backslash-ones)&^backslash) & highs
}

// unusual reads what in a string does not stand for itself.
func (s *scanner) unusual(c byte) bool {
	s.plain = false
	switch {
	case c < ' ':
		return s.malformed()
	case c == '\\':
		return s.escape()
	}
	s.pos++
	return true
}

// escape reads a backslash and what belongs to it.
func (s *scanner) escape() bool {
	s.pos++
	switch s.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos++
		return true
	case 'u':
		s.pos++
	default:
		return s.malformed()
	}
	for range 4 {
		if hexValue(s.peek()) < 0 {
			return s.malformed()
		}
		s.pos++
	}
	return true
}

// hexValue is the value of a hexadecimal digit, or -1.
func hexValue(c byte) rune {
	switch {
	case digit(c):
		return rune(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return rune(c|0x20-'a') + 10
	}
	return -1
}
