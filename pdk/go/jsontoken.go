package relay

// peek is the next byte, or 0 at the end, where no token begins with 0 either.
func (s *scanner) peek() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

func (s *scanner) space() {
	text, i := s.text, s.pos
	for i < len(text) && (text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || text[i] == '\r') {
		i++
	}
	s.pos = i
}

// malformed notes that the byte at pos cannot stand there.
func (s *scanner) malformed() bool {
	switch {
	case s.pos >= len(s.text):
		s.problem = "unexpected end"
	case s.text[s.pos] > ' ' && s.text[s.pos] < 0x7f:
		s.problem = "unexpected '" + string(rune(s.text[s.pos])) + "'"
	default:
		const hex = "0123456789abcdef"
		c := s.text[s.pos]
		s.problem = "unexpected byte 0x" + string([]byte{hex[c>>4], hex[c&15]})
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

// special has what does not simply go on a string: its end, escapes, control
// characters, and whatever is not ASCII.
var special = func() (table [256]bool) {
	for c := range table {
		table[c] = c < ' ' || c >= 0x80 || c == '"' || c == '\\'
	}
	return table
}()

// str reads a string with its quotes.
func (s *scanner) str() bool {
	if s.peek() != '"' {
		return s.malformed()
	}
	s.plain = true
	text, i := s.text, s.pos+1
	for i < len(text) {
		c := text[i]
		if !special[c] {
			i++
			continue
		}
		s.pos = i
		switch {
		case c == '"':
			s.pos++
			return true
		case c < ' ':
			return s.malformed()
		case c == '\\':
			if !s.escape() {
				return false
			}
			i = s.pos
		default:
			i++
		}
		s.plain = false
	}
	s.pos = i
	return s.malformed()
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
