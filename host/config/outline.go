package config

import "strings"

// maxDepth bounds tables in tables, arrays in arrays and the parts of a dotted
// key. The TOML library recurses, and takes time by the square of the depth.
const maxDepth = 64

// outline says on which line each key and array item of a document stands,
// which the TOML library does not tell. It has the shape of the decoded
// document.
type outline struct {
	line, depth int
	fields      map[string]*outline
	items       []*outline
}

// field is where a key stands, or where the table does if it has no such key.
func (o *outline) field(name string) *outline {
	if f := o.fields[name]; f != nil {
		return f
	}
	return &outline{line: o.line}
}

// item is where an array's item stands.
func (o *outline) item(i int) *outline {
	if i < len(o.items) {
		return o.items[i]
	}
	return &outline{line: o.line}
}

// scan outlines a TOML document. It stops without a word at what is no TOML,
// because the library stops there too and has the words. tooDeep is the line
// that nests deeper than maxDepth, or 0; then the document is not safe to
// decode.
func scan(text string) (root *outline, tooDeep int) {
	s := &scanner{text: strings.TrimPrefix(text, "\ufeff"), line: 1}
	root = &outline{line: 1}
	current := root
	for s.blank(); current != nil && s.pos < len(s.text); s.blank() {
		if s.peek("[") {
			current = s.header(root)
		} else if !s.pair(current) {
			break
		}
	}
	return root, s.tooDeep
}

// header reads [a.b] or [[a.b]] and returns the table that it opens.
func (s *scanner) header(root *outline) *outline {
	s.accept("[")
	array := s.accept("[")
	line := s.line
	keys := s.dotted()
	if len(keys) == 0 || !s.accept("]") || array && !s.accept("]") {
		return nil
	}
	table := root
	for i, key := range keys {
		table = s.grow(table, key)
		if table != nil && len(table.items) > 0 && (i < len(keys)-1 || !array) {
			table = table.items[len(table.items)-1]
		}
	}
	if array {
		return s.append(table)
	}
	if table != nil {
		table.line = line
	}
	return table
}

// pair reads key = value into a table.
func (s *scanner) pair(table *outline) bool {
	keys := s.dotted()
	for _, key := range keys {
		table = s.grow(table, key)
	}
	if len(keys) == 0 || table == nil || !s.accept("=") {
		return false
	}
	return s.value(table)
}

// value reads the value that stands at a place.
func (s *scanner) value(at *outline) bool {
	s.skipAll(" \t")
	switch {
	case s.accept("["):
		return s.list("]", func() bool {
			item := s.append(at)
			return item != nil && s.value(item)
		})
	case s.accept("{"):
		return s.list("}", func() bool { return s.pair(at) })
	case s.peek(`"`), s.peek("'"):
		return s.quoted()
	}
	s.skipTo(",]}#\n")
	return true
}

// grow returns a table's field, new or known; nil if it is too deep.
func (s *scanner) grow(table *outline, key string) *outline {
	if table == nil || table.fields[key] != nil {
		return table.get(key)
	}
	field := s.child(table)
	if field != nil {
		if table.fields == nil {
			table.fields = make(map[string]*outline)
		}
		table.fields[key] = field
	}
	return field
}

// get is a field that is known; nil of nil.
func (o *outline) get(key string) *outline {
	if o == nil {
		return nil
	}
	return o.fields[key]
}

// append adds an item to an array; nil if it is too deep.
func (s *scanner) append(array *outline) *outline {
	if array == nil {
		return nil
	}
	item := s.child(array)
	if item != nil {
		array.items = append(array.items, item)
	}
	return item
}

// child is a new place on this line, below another.
func (s *scanner) child(parent *outline) *outline {
	if parent.depth == maxDepth {
		s.tooDeep = s.line
		return nil
	}
	return &outline{line: s.line, depth: parent.depth + 1}
}
