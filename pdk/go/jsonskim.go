package relay

import (
	"encoding/binary"
	"math/bits"
)

// skimDepth is how many containers skim enters within one another.
const skimDepth = 8

// skim is how many bytes of text are items of a container that end closes, with
// the commas behind them, that are as plain as can be: strings that stand for
// themselves, numbers without sign and exponent, words, and containers of
// those; with a space behind each comma and colon, or none. closed says that the
// container's end is among them. It stops at a member's name of the given
// length, which may be the one that is looked for.
//
// It takes nothing that the scanner would not, and may leave anything to it. It
// is there to be fast in a guest, and is one function for that: it calls
// nothing, so that the compilers keep all it knows in registers. In pieces, a
// message took 6 % longer.
func skim(text []byte, end byte, length int) (n int, closed bool) { //nolint:cyclop,gocognit // as it says
	t, name := text, end == '}'
	var outer uint64 // what closes the containers around the innermost one, a byte each
	for len(t) > 9 {
		switch c := t[0]; {
		case c == '"':
			t = t[1:]
			size, k := len(t), 8
			for k == 8 && len(t) > 8 {
				k = bits.TrailingZeros64(specials(binary.LittleEndian.Uint64(t))) >> 3
				t = t[k:]
			}
			if len(t) < 3 || t[0] != '"' {
				return n, false
			}
			if name {
				if t[1] != ':' || size-len(t) == length && outer == 0 {
					return n, false
				}
				t, name = t[2+isSpace(t[2]):], false
				continue
			}
			t = t[1:]
		case name:
			return n, false
		case c|0x20 == '{': // or [
			if outer>>(8*skimDepth-8) > 0 {
				return n, false
			}
			outer, end, t = outer<<8|uint64(end), c+2, t[1:]
			if t[0] != end {
				name = end == '}'
				continue
			}
		default:
			k := plainValue(binary.LittleEndian.Uint64(t))
			if k == 0 || k > 8 {
				return n, false
			}
			if t = t[k:]; c <= '9' && t[0] == '.' && len(t) > 9 {
				if k = digits8(binary.LittleEndian.Uint64(t[1:])); k == 0 {
					return n, false
				}
				t = t[1+k:]
			}
		}
		for len(t) > 1 && t[0] == end && outer > 0 {
			t, end, outer = t[1:], byte(outer), outer>>8
		}
		if len(t) < 2 || t[0] != ',' {
			if closed = outer == 0 && len(t) > 0 && t[0] == end; closed {
				n = len(text) - len(t) + 1
			}
			return n, closed
		}
		t, name = t[1+isSpace(t[1]):], end == '}'
		if outer == 0 {
			n = len(text) - len(t)
		}
	}
	return n, false
}

// plainValue is how many of eight bytes are a word or a whole number, or 0.
func plainValue(x uint64) int {
	const isTrue, isNull, isFalse = 0x65757274, 0x6c6c756e, 0x65736c6166 // from their last letters on
	switch {
	case x&(1<<32-1) == isTrue || x&(1<<32-1) == isNull:
		return 4
	case x&(1<<40-1) == isFalse:
		return 5
	}
	k := digits8(x)
	if k > 1 && byte(x) == '0' {
		return 0
	}
	return k
}

// digits8 is how many digits eight bytes begin with.
func digits8(x uint64) int { return bits.TrailingZeros64(noDigits(x)) >> 3 }

// isSpace is 1 for a space and 0 for any other byte.
func isSpace(c byte) int { return int((uint64(c^' ') - 1) >> 63) }

// noDigits has the high bit set of each of eight bytes that is no digit. Above
// the first of them, a carry may have set others.
func noDigits(x uint64) uint64 {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	x ^= ones * '0'
	return (x | (x + ones*(0x80-10))) & highs
}
