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
	for len(t) > 8 {
		switch c := t[0]; {
		case c == '"':
			t = t[1:]
			size, k := len(t), 8
			for k == 8 && len(t) >= 8 {
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
			x := binary.LittleEndian.Uint64(t)
			k := plainNumber(x)
			if c > '9' {
				k = word(x)
			}
			if k <= 0 || k > 8 {
				return n, false
			}
			t = t[k:]
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

// word is how many of eight bytes are a word, or 0.
func word(x uint64) int {
	const isTrue, isNull, isFalse = 0x65757274, 0x6c6c756e, 0x65736c6166 // from their last letters on
	switch low := x & (1<<32 - 1); {
	case low == isTrue || low == isNull:
		return 4
	case x&(1<<40-1) == isFalse:
		return 5
	}
	return 0
}

// plainNumber is how many of eight bytes are digits, with a point between them
// or none; 0 for what is no number.
func plainNumber(x uint64) int {
	others := noDigits(x)
	k := bits.TrailingZeros64(others) >> 3
	if k == 0 || k > 1 && byte(x) == '0' {
		return 0
	}
	if byte(x>>(8*k)) == '.' {
		whole := k
		if k = bits.TrailingZeros64(others&(others-1)) >> 3; k == whole+1 {
			return 0
		}
	}
	return k
}

// isSpace is 1 for a space and 0 for any other byte.
func isSpace(c byte) int { return int((uint64(c^' ') - 1) >> 63) }

// noDigits has the high bit set of each of eight bytes that is no digit.
func noDigits(x uint64) uint64 {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	x ^= ones * '0'
	return (x | (x&^highs + ones*(0x80-10))) & highs
}
