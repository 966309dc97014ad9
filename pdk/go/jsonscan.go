package relay

// maxDepth is how many containers deep a text may be: each takes two Go frames
// of a guest's stack, and no event that people write comes near.
const maxDepth = 500

// scanner walks over a JSON text once, checks all of it, and notes the value
// at path. Its methods return false once the text proved malformed; problem
// and pos say how.
type scanner struct {
	text    []byte
	pos     int
	path    []string
	problem string
	depth   int

	// found is the value at path. If there is none, reached is how many
	// elements of the path lead to something, and stopped the first byte of
	// what does not lead further, 0 if the element after it is missing.
	found   []byte
	reached int
	stopped byte

	// plain says of the string read last that it stands for itself: no
	// escapes, nothing but ASCII.
	plain bool
}

// document reads the whole text.
func (s *scanner) document() {
	s.space()
	if !s.value(0) {
		return
	}
	if s.space(); s.pos < len(s.text) {
		s.malformed()
	}
}

// why says why nothing was found. The problem belongs to the value that is
// reached elements deep.
func (s *scanner) why() string {
	if s.stopped == 0 {
		return ErrMissing.Error()
	}
	return "is " + kindOf(s.stopped) + ", not an object or array"
}

// value reads one value, with no space before it. level is how many elements
// of the path led to it, or -1 for a value off the path.
func (s *scanner) value(level int) bool {
	start := s.pos
	c := s.peek()
	if level >= 0 {
		s.found, s.reached, s.stopped = nil, level, c
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
		s.found = s.text[start:s.pos:s.pos]
	}
	return ok
}

func (s *scanner) container(open byte, level int) bool {
	if s.depth++; s.depth > maxDepth {
		s.problem = "more than 500 containers deep"
		return false
	}
	if level == len(s.path) {
		level = -1
	}
	if level >= 0 {
		s.reached, s.stopped = level+1, 0
	}
	s.pos++
	ok := false
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
	return s.problem == ""
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
	return s.problem == ""
}

// next moves to the next item of a container and returns true, or past its
// end and returns false, as it does when the text is malformed.
func (s *scanner) next(end byte) bool {
	if s.problem != "" {
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
	return unquote(quoted) == element
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
