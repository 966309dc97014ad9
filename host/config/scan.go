package config

import (
	"strconv"
	"strings"
)

// scanner reads a document from front to back. Its methods return false or nil
// where it must stop.
type scanner struct {
	text      string
	pos, line int
	tooDeep   int
}

func (s *scanner) peek(prefix string) bool { return strings.HasPrefix(s.text[s.pos:], prefix) }

// accept consumes prefix if it comes next.
func (s *scanner) accept(prefix string) bool {
	if !s.peek(prefix) {
		return false
	}
	s.skip(len(prefix))
	return true
}

func (s *scanner) skip(n int) {
	s.line += strings.Count(s.text[s.pos:s.pos+n], "\n")
	s.pos += n
}

// skipTo consumes all before the first of chars, or all that is left.
func (s *scanner) skipTo(chars string) {
	n := strings.IndexAny(s.text[s.pos:], chars)
	if n < 0 {
		n = len(s.text) - s.pos
	}
	s.skip(n)
}

func (s *scanner) skipAll(chars string) {
	s.skip(len(s.text) - s.pos - len(strings.TrimLeft(s.text[s.pos:], chars)))
}

// blank consumes white space, line ends and comments.
func (s *scanner) blank() {
	for s.skipAll(" \t\r\n"); s.peek("#"); s.skipAll(" \t\r\n") {
		s.skipTo("\n")
	}
}

// list reads what is between brackets, each item by one.
func (s *scanner) list(end string, one func() bool) bool {
	for s.blank(); !s.accept(end); s.blank() {
		if s.pos == len(s.text) || !one() {
			return false
		}
		s.blank()
		if !s.accept(",") && !s.peek(end) {
			return false
		}
	}
	return true
}

// quoted reads a string of any sort.
func (s *scanner) quoted() bool {
	quote := s.text[s.pos : s.pos+1]
	triple := strings.Repeat(quote, 3)
	if !s.accept(triple) {
		_, ok := s.single()
		return ok
	}
	for s.pos < len(s.text) {
		switch {
		case s.accept(triple):
			// Up to two more quotes belong to the text.
			_ = s.accept(quote) && s.accept(quote)
			return true
		case quote == `"` && s.peek(`\`) && s.pos+1 < len(s.text):
			s.skip(2)
		default:
			s.skip(1)
		}
	}
	return false
}

// single reads a string of one line and returns what is between its quotes.
func (s *scanner) single() (string, bool) {
	quote, start := s.text[s.pos], s.pos+1
	for i := start; i < len(s.text) && s.text[i] != '\n'; i++ {
		switch {
		case s.text[i] == quote:
			s.pos = i + 1
			return s.text[start:i], true
		case s.text[i] == '\\' && quote == '"':
			i++
		}
	}
	return "", false
}

// dotted reads a key's parts; none if it is no key.
func (s *scanner) dotted() []string {
	var keys []string
	for {
		s.skipAll(" \t")
		key, ok := s.key()
		if !ok {
			return nil
		}
		keys = append(keys, key)
		s.skipAll(" \t")
		if !s.accept(".") {
			return keys
		}
	}
}

func (s *scanner) key() (string, bool) {
	if s.peek(`"`) {
		text, ok := s.single()
		return unescape(text), ok
	}
	if s.peek("'") {
		return s.single()
	}
	start := s.pos
	s.skipAll("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
	return s.text[start:s.pos], s.pos > start
}

var escapes = map[byte]byte{'b': '\b', 't': '\t', 'n': '\n', 'f': '\f', 'r': '\r', 'e': 0x1b, '"': '"', '\\': '\\'}

// unescape is the text of a key in double quotes.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[i]]
		if digits == 0 {
			b.WriteByte(escapes[s[i]])
			continue
		}
		end := min(i+1+digits, len(s))
		code, _ := strconv.ParseUint(s[i+1:end], 16, 32)
		b.WriteRune(rune(code)) //nolint:gosec // WriteRune replaces what is no rune
		i = end - 1
	}
	return b.String()
}
