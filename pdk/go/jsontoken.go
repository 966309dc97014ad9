package relay

import (
	"encoding/binary"
	"math/bits"
)

// space is where what is no space comes first, from i on.
func space(text []byte, i int) int {
	if i < len(text) && text[i] <= ' ' {
		return spaces(text, i)
	}
	return i
}

//go:noinline
func spaces(text []byte, i int) int {
	for ; i < len(text); i++ {
		if c := text[i]; c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			break
		}
	}
	return i
}

// malformed notes that the byte at i cannot stand there.
func (s *scanner) malformed(i int) int {
	s.miss = miss{fault: cutOff, pos: i}
	if i < len(s.text) {
		s.miss.fault, s.miss.seen = unexpected, s.text[i]
	}
	return -1
}

func (s *scanner) literal(i int, word string) int {
	for j := range len(word) {
		if at(s.text, i) != word[j] {
			return s.malformed(i)
		}
		i++
	}
	return i
}

// at is the byte at i, or 0 at the end, where no token has one.
func at(text []byte, i int) byte {
	if i < len(text) {
		return text[i]
	}
	return 0
}

func (s *scanner) number(i int) int {
	if at(s.text, i) == '-' {
		i++
	}
	if at(s.text, i) == '0' {
		i++
	} else if i = s.digits(i); i < 0 {
		return -1
	}
	if at(s.text, i) == '.' {
		if i = s.digits(i + 1); i < 0 {
			return -1
		}
	}
	if at(s.text, i)|0x20 != 'e' {
		return i
	}
	i++
	if c := at(s.text, i); c == '+' || c == '-' {
		i++
	}
	return s.digits(i)
}

// digits reads one digit or more.
func (s *scanner) digits(i int) int {
	start := i
	for i < len(s.text) && digit(s.text[i]) {
		i++
	}
	if i == start {
		return s.malformed(i)
	}
	return i
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// str reads a string from behind its first quote, and says whether it is plain:
// it stands for itself, with no escapes and nothing but ASCII.
//
// It looks at eight bytes at once for those that end it or need a look.
func (s *scanner) str(i int) (end int, plain bool) {
	text, plain := s.text, true
	for i < len(text) {
		if len(text)-i >= 8 {
			special := specials(binary.LittleEndian.Uint64(text[i:]))
			if special == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(special) >> 3
		}
		c := text[i]
		if c == '"' {
			return i + 1, plain
		}
		if ' ' <= c && c < 0x80 && c != '\\' {
			i++
			continue
		}
		if plain, i = false, s.unusual(i, c); i < 0 {
			return -1, false
		}
	}
	return s.malformed(i), false
}

// unusual reads what in a string does not stand for itself.
func (s *scanner) unusual(i int, c byte) int {
	switch {
	case c < ' ':
		return s.malformed(i)
	case c == '\\':
		return s.escape(i + 1)
	}
	return i + 1
}

// specials has the high bit set of each of eight bytes that does not simply go
// on a string: a quote, a backslash, a control character, or not ASCII. Above
// the first of them, a borrow may have set others.
func specials(x uint64) uint64 {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	quote, backslash := x^ones*'"', x^ones*'\\'
	return (x | (x-ones*' ')&^x | (quote-ones)&^quote | (backslash-ones)&^backslash) & highs
}

// escape reads what belongs to a backslash.
func (s *scanner) escape(i int) int {
	switch at(s.text, i) {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
	default:
		return s.malformed(i)
	}
	for range 4 {
		if i++; hexValue(at(s.text, i)) < 0 {
			return s.malformed(i)
		}
	}
	return i + 1
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
