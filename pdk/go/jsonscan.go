package relay

// maxDepth is how many containers deep a text may be: each takes two Go frames
// of a guest's stack, and no event that people write comes near.
const maxDepth = 500

// scanner walks over a JSON text once, checks all of it, and notes the value
// at path. Its methods return false once the text proved malformed.
type scanner struct {
	text  []byte
	pos   int
	path  []string
	depth int

	// found is the value at path, and foundPlain its text if it is a
	// plain string. If there is none, miss says why.
	found, foundPlain []byte
	miss              miss

	// plain says of the string read last that it stands for itself: no
	// escapes, nothing but ASCII.
	plain bool
}

// document reads the whole text.
func (s *scanner) document() {
	s.space()
	if s.value(0) {
		if s.space(); s.pos < len(s.text) {
			s.malformed()
		}
	}
	if s.miss.fault >= cutOff {
		s.found = nil
	}
}

// value reads one value, with no space before it. level is how many elements
// of the path led to it, or -1 for a value off the path.
func (s *scanner) value(level int) bool {
	start := s.pos
	c := s.peek()
	if level >= 0 {
		s.found, s.miss = nil, miss{fault: noContainer, reached: level, seen: c}
	}
	var ok bool
	switch c {
	case '{', '[':
		ok = s.container(c, level)
	case '"':
		ok = s.str()
	case 't':
		ok = s.literal("true")
	case 'f':
		ok = s.literal("false")
	case 'n':
		ok = s.literal("null")
	default:
		ok = s.number()
	}
	if level == len(s.path) {
		s.found, s.foundPlain = s.text[start:s.pos:s.pos], nil
		if c == '"' && s.plain && ok {
			s.foundPlain = s.text[start+1 : s.pos-1]
		}
	}
	return ok
}

func (s *scanner) container(open byte, level int) bool {
	if s.depth++; s.depth > maxDepth {
		s.miss = miss{fault: tooDeep, pos: s.pos}
		return false
	}
	if level == len(s.path) {
		level = -1
	}
	if level >= 0 {
		s.miss = miss{fault: missing, reached: level + 1}
	}
	s.pos++
	var ok bool
	if open == '{' {
		ok = s.object(level)
	} else {
		ok = s.array(level)
	}
	s.depth--
	return ok
}

func (s *scanner) object(level int) bool {
	for s.next('}') {
		start := s.pos
		if !s.str() {
			return false
		}
		child := -1
		if level >= 0 && s.matches(s.text[start:s.pos], s.path[level]) {
			child = level + 1
		}
		if s.space(); s.peek() != ':' {
			return s.malformed()
		}
		s.pos++
		if s.space(); !s.value(child) {
			return false
		}
	}
	return s.miss.fault < cutOff
}

func (s *scanner) array(level int) bool {
	wanted := -1
	if level >= 0 {
		wanted = arrayIndex(s.path[level])
	}
	for i := 0; s.next(']'); i++ {
		child := -1
		if i == wanted {
			child = level + 1
		}
		if !s.value(child) {
			return false
		}
	}
	return s.miss.fault < cutOff
}

// next moves to the next item of a container and returns true, or past its
// end and returns false, as it does when the text is malformed.
func (s *scanner) next(end byte) bool {
	if s.miss.fault >= cutOff {
		return false
	}
	first := s.text[s.pos-1] == end-2 // { and [ lie two before } and ]
	s.space()
	switch c := s.peek(); {
	case c == end:
		s.pos++
		return false
	case first:
	case c == ',':
		s.pos++
		s.space()
	default:
		s.malformed()
		return false
	}
	return true
}

// matches compares a member's name with an element of the path.
func (s *scanner) matches(quoted []byte, element string) bool {
	if s.plain {
		return string(quoted[1:len(quoted)-1]) == element
	}
	return unquotesTo(quoted, element)
}

// arrayIndex is the index that an element of a path stands for, or -1.
func arrayIndex(element string) int {
	if element == "" || len(element) > 9 || element[0] == '0' && element != "0" {
		return -1
	}
	n := 0
	for i := range len(element) {
		if !digit(element[i]) {
			return -1
		}
		n = n*10 + int(element[i]-'0')
	}
	return n
}
