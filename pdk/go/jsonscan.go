package relay

// maxDepth is how many containers deep a text may be: each takes two Go frames
// of a guest's stack, and no event that people write comes near.
const maxDepth = 500

// scanner walks over a JSON text once, checks all of it, and notes the value
// at path. Its methods take where they begin, with no space before it, and
// return where they end, or -1 once the text proved malformed.
//
// It is written for a guest, where a call costs as much as a dozen additions
// and a jump half of that, be it only to the other branch of an if: what is
// common comes first, and needs neither.
type scanner struct {
	text  []byte
	path  []string
	depth int

	// found is the value at path, and foundPlain its text if it is a
	// plain string. If there is none, miss says why.
	found, foundPlain []byte
	miss              miss
}

// document reads the whole text.
func (s *scanner) document() {
	i := s.value(space(s.text, 0), 0)
	if i >= 0 {
		if i = space(s.text, i); i < len(s.text) {
			s.malformed(i)
		}
	}
	if s.miss.fault >= cutOff {
		s.found = nil
	}
	if s.found == nil {
		s.foundPlain = nil
	}
}

// value reads one value. level is how many elements of the path led to it, or
// -1 for a value off the path.
func (s *scanner) value(i, level int) (end int) {
	c, plain := at(s.text, i), false
	if level >= 0 {
		s.found, s.miss = nil, miss{fault: noContainer, reached: level, seen: c}
	}
	switch c {
	case '{', '[':
		end = s.container(i, c, level)
	case '"':
		end, plain = s.str(i + 1)
	case 't':
		end = s.literal(i, "true")
	case 'f':
		end = s.literal(i, "false")
	case 'n':
		end = s.literal(i, "null")
	default:
		end = s.number(i)
	}
	if level == len(s.path) && end >= 0 {
		s.found, s.foundPlain = s.text[i:end:end], nil
		if plain {
			s.foundPlain = s.text[i+1 : end-1]
		}
	}
	return end
}

func (s *scanner) container(i int, open byte, level int) int {
	if s.depth++; s.depth > maxDepth {
		s.miss = miss{fault: tooDeep, pos: i}
		return -1
	}
	if level == len(s.path) {
		level = -1
	}
	if level >= 0 {
		s.miss = miss{fault: missing, reached: level + 1}
	}
	i = space(s.text, i+1)
	switch {
	case at(s.text, i) == open+2: // } and ] lie two behind { and [
		i++
	case open == '{':
		i = s.members(i, level)
	default:
		i = s.elements(i, level)
	}
	s.depth--
	return i
}

// members reads an object from its first member's name on.
func (s *scanner) members(i, level int) int {
	length := -1
	if level >= 0 {
		length = len(s.path[level])
	}
	text := s.text
	for {
		if s.depth <= maxDepth-skimDepth {
			n, closed := skim(text[i:], '}', length)
			if closed {
				return i + n
			}
			i = space(text, i+n)
		}
		if i == len(text) || text[i] != '"' {
			return s.malformed(i)
		}
		end, plain := s.str(i + 1)
		if end < 0 {
			return -1
		}
		child := -1
		if level >= 0 && s.matches(text[i:end], s.path[level], plain) {
			child = level + 1
		}
		if i = space(text, end); i == len(text) || text[i] != ':' {
			return s.malformed(i)
		}
		if i = s.item(space(text, i+1), child); i < 0 {
			return -1
		}
		if i == len(text) || text[i] != ',' {
			return s.closed(i, '}')
		}
		i = space(text, i+1)
	}
}

// elements reads an array from its first element on.
func (s *scanner) elements(i, level int) int {
	wanted := -1
	if level >= 0 {
		wanted = arrayIndex(s.path[level])
	}
	for n := 0; ; n++ {
		if level < 0 && s.depth <= maxDepth-skimDepth {
			n, closed := skim(s.text[i:], ']', -1)
			if closed {
				return i + n
			}
			i = space(s.text, i+n)
		}
		child := -1
		if n == wanted {
			child = level + 1
		}
		if i = s.item(i, child); i < 0 {
			return -1
		}
		if i == len(s.text) || s.text[i] != ',' {
			return s.closed(i, ']')
		}
		i = space(s.text, i+1)
	}
}

// item reads a container's value, and the space behind it.
func (s *scanner) item(i, level int) int {
	if i = s.value(i, level); i < 0 {
		return -1
	}
	return space(s.text, i)
}

// closed is the end of a container that has to be closed at i.
func (s *scanner) closed(i int, end byte) int {
	if at(s.text, i) != end {
		return s.malformed(i)
	}
	return i + 1
}

// matches compares a member's name with an element of the path.
func (s *scanner) matches(quoted []byte, element string, plain bool) bool {
	if plain {
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
