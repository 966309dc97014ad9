package plugin

import (
	"strconv"
	"unicode"
	"unicode/utf8"
)

// Printable makes one line that can be shown of a guest's text: what does not
// print is escaped, and it is cut at limit bytes.
func Printable(text string, limit int) string { return printable(text, limit) }

// printable makes a line of the host's own out of a guest's text, so that no
// guest can forge one: it replaces what is not UTF-8, escapes what does not
// print (line breaks, terminal sequences, changes of direction), and cuts at
// limit bytes.
func printable[T string | []byte](text T, limit int) string {
	out := make([]byte, 0, min(len(text), limit))
	for _, r := range string(text[:min(len(text), limit)]) {
		if len(out)+utf8.UTFMax > limit {
			return string(out) + "…"
		}
		out = appendPrintable(out, r)
	}
	if len(text) > limit {
		return string(out) + "…"
	}
	return string(out)
}

func appendPrintable(out []byte, r rune) []byte {
	if unicode.IsPrint(r) {
		return utf8.AppendRune(out, r)
	}
	var quoted [16]byte
	escaped := strconv.AppendQuoteRune(quoted[:0], r)
	return append(out, escaped[1:len(escaped)-1]...)
}
