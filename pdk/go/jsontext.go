package relay

import (
	"bytes"
	"unicode/utf8"
)

// unquote is the text of a well-formed string with its quotes.
func unquote(quoted []byte) string {
	text := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(text, '\\') < 0 && utf8.Valid(text) {
		return string(text)
	}
	return string(appendUnquoted(make([]byte, 0, len(text)), text))
}

// unquotesTo compares the text of a well-formed string; a name of usual length
// is not moved to the heap for that.
func unquotesTo(quoted []byte, text string) bool {
	var buf [64]byte
	return string(appendUnquoted(buf[:0], quoted[1:len(quoted)-1])) == text
}

func appendUnquoted(dst, text []byte) []byte {
	for len(text) > 0 {
		if text[0] == '\\' {
			var r rune
			r, text = unescape(text)
			dst = utf8.AppendRune(dst, r)
			continue
		}
		r, size := utf8.DecodeRune(text)
		dst, text = utf8.AppendRune(dst, r), text[size:]
	}
	return dst
}

// unescape reads one escape, or two that make a surrogate pair. Half a pair is
// U+FFFD.
func unescape(text []byte) (rune, []byte) {
	c, rest := text[1], text[2:]
	switch c {
	case 'b':
		return '\b', rest
	case 'f':
		return '\f', rest
	case 'n':
		return '\n', rest
	case 'r':
		return '\r', rest
	case 't':
		return '\t', rest
	case 'u':
		high, rest := hex4(rest), rest[4:]
		if high < 0xd800 || high > 0xdfff {
			return high, rest
		}
		if high < 0xdc00 && len(rest) >= 6 && rest[0] == '\\' && rest[1] == 'u' {
			if low := hex4(rest[2:]); 0xdc00 <= low && low <= 0xdfff {
				return 0x10000 + (high-0xd800)<<10 + (low - 0xdc00), rest[6:]
			}
		}
		return utf8.RuneError, rest
	}
	return rune(c), rest
}

func hex4(text []byte) (r rune) {
	for _, c := range text[:4] {
		r = r<<4 | hexValue(c)
	}
	return r
}
