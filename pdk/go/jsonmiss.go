package relay

// miss says why a value was not found. It becomes an error only when somebody
// asks: looking for what may be absent costs nothing, and as no error holds on
// to the path, the compiler can leave that on its caller's stack.
type miss struct {
	fault   fault
	pos     int  // where a malformed text is so
	reached int  // how many elements of the path lead to what is at fault
	seen    byte // the byte at pos, or the first one of what is no container
}

// fault is what is wrong; from cutOff on, it is the text.
type fault uint8

const (
	missing fault = iota
	noContainer
	noArray
	cutOff
	unexpected
	tooDeep
)

// err makes the error, of which nothing but texts is part of base or path.
func (m miss) err(base string, path []string) error {
	if m.fault < cutOff {
		return &JSONError{joinPath(base, path[:m.reached]), -1, m.problem()}
	}
	return &JSONError{joinPath(base, path), m.pos, m.problem()}
}

func (m miss) problem() string {
	switch m.fault {
	case missing:
		return ErrMissing.Error()
	case noContainer:
		return "is " + kindOf(m.seen) + ", not an object or array"
	case noArray:
		return "is " + kindOf(m.seen) + ", not an array"
	case cutOff:
		return "unexpected end"
	case tooDeep:
		return "more than 500 containers deep"
	}
	if ' ' < m.seen && m.seen < 0x7f {
		return "unexpected '" + string(rune(m.seen)) + "'"
	}
	const hex = "0123456789abcdef"
	return "unexpected byte 0x" + string([]byte{hex[m.seen>>4], hex[m.seen&15]})
}
