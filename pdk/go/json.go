package relay

import (
	"errors"
	"strconv"
	"strings"
)

// JSON is JSON text, read where it lies: nothing is decoded but what is asked
// for. In a guest it is an order of magnitude faster than encoding/json.
//
// # What it accepts
//
// Every Get reads the text from end to end, and takes it only if all of it is
// JSON as encoding/json (json.Valid) understands it: what surrounds the value
// that is looked for may not be malformed either. One thing differs:
// encoding/json follows containers 10,000 deep, Get 500.
//
// As in encoding/json, the last of several members of one name counts, names
// are compared after their escapes are resolved, and text that is not Unicode
// (stray bytes, half a surrogate pair) is read as U+FFFD.
type JSON []byte

// Get returns the value at path: each element is the name of an object's
// member or the index of an array's element, for example
// Get("people", "0", "name"). No path is the whole text. What went wrong is in
// the value, and each of its methods that returns an error returns it.
func (j JSON) Get(path ...string) Value {
	return get(j, "", path)
}

func get(text []byte, base string, path []string) Value {
	s := scanner{text: text, path: path}
	s.document()
	return Value{raw: s.found, plain: s.foundPlain, base: base, path: path, miss: s.miss}
}

// ErrMissing is wrapped by the error of a value that is not there, in a text
// that is well-formed.
var ErrMissing = errors.New("is missing")

// JSONError says what is wrong with which value of a JSON text.
type JSONError struct {
	// Path is the value's path with its elements joined by dots; empty for
	// the whole text.
	Path string
	// Offset is where the text is malformed, in bytes from its beginning, or
	// -1 if it is well-formed.
	Offset int
	// Problem goes with the path to make a sentence: "is missing".
	Problem string
}

// Error is, for example, "person.first_name is missing".
func (e *JSONError) Error() string {
	path := e.Path
	if path == "" {
		path = "the JSON text"
	}
	if e.Offset >= 0 {
		return path + " cannot be read: malformed JSON at byte " + strconv.Itoa(e.Offset) + ": " + e.Problem
	}
	return path + " " + e.Problem
}

// Is reports whether target is [ErrMissing] and the value is missing.
func (e *JSONError) Is(target error) bool {
	return target == ErrMissing && e.Offset < 0 && e.Problem == ErrMissing.Error()
}

// Value is a value of a [JSON] text, or the failure to find it.
type Value struct {
	raw   []byte // nil if there is none, and then miss says why
	plain []byte // its text, if it is a string known to stand for itself
	base  string
	path  []string
	miss  miss
}

// Exists reports whether the value is there; null is a value.
func (v Value) Exists() bool { return v.raw != nil }

// Err says why the value is not there: it is missing ([ErrMissing]), something
// on its path is no object or array, or the text is malformed. It is nil, or a
// [*JSONError].
func (v Value) Err() error {
	if v.raw != nil {
		return nil
	}
	return v.miss.err(v.base, v.path)
}

// Raw is the value as it is written, or nil if it does not exist. It is part
// of the text and valid as long as that is.
func (v Value) Raw() []byte { return v.raw }

// IsNull reports whether the value is there and null.
func (v Value) IsNull() bool { return string(v.raw) == "null" }

// Get returns the value at path below this one.
func (v Value) Get(path ...string) Value {
	if v.raw == nil {
		return v
	}
	return get(v.raw, joinPath(v.base, v.path), path)
}

// Text is the text of a string, its escapes resolved.
func (v Value) Text() (string, error) {
	if v.plain != nil { // the common case, short enough to be inlined
		return string(v.plain), nil
	}
	return v.text()
}

func (v Value) text() (string, error) {
	if v.first() != '"' {
		return "", v.not("a string")
	}
	return unquote(v.raw), nil
}

// Int is a number without fraction and exponent.
func (v Value) Int() (int64, error) {
	if kindOf(v.first()) != number {
		return 0, v.not(number)
	}
	n, err := strconv.ParseInt(string(v.raw), 10, 64)
	if err != nil {
		return 0, v.problem("is " + string(v.raw) + ", not a 64-bit integer")
	}
	return n, nil
}

// Float is a number.
func (v Value) Float() (float64, error) {
	if kindOf(v.first()) != number {
		return 0, v.not(number)
	}
	n, err := strconv.ParseFloat(string(v.raw), 64)
	if err != nil {
		return 0, v.problem("is out of range: " + string(v.raw))
	}
	return n, nil
}

// Bool is true or false.
func (v Value) Bool() (bool, error) {
	if c := v.first(); c != 't' && c != 'f' {
		return false, v.not("a boolean")
	}
	return v.raw[0] == 't', nil
}

// Elements yields the elements of an array in order, for a range loop. If the
// value is no array it yields once, a value with that error.
func (v Value) Elements() func(yield func(Value) bool) {
	return func(yield func(Value) bool) {
		if c := v.first(); c != '[' {
			if c != 0 {
				v.miss = miss{fault: noArray, reached: len(v.path), seen: c}
			}
			v.raw = nil
			yield(v)
			return
		}
		base := joinPath(v.base, v.path) + "[]"
		s := scanner{text: v.raw}
		for i := space(v.raw, 1); v.raw[i] != ']'; {
			end := s.value(i, -1)
			if !yield(Value{raw: v.raw[i:end:end], base: base}) {
				return
			}
			if i = space(v.raw, end); v.raw[i] == ',' {
				i = space(v.raw, i+1)
			}
		}
	}
}

// first is the first byte of the value, or 0 if it does not exist.
func (v Value) first() byte {
	if v.raw == nil {
		return 0
	}
	return v.raw[0]
}

// not is the error of a value that does not exist, or is not of a kind.
func (v Value) not(kind string) error {
	if v.raw == nil {
		return v.Err()
	}
	return v.problem("is " + kindOf(v.raw[0]) + ", not " + kind)
}

func (v Value) problem(problem string) error {
	return &JSONError{joinPath(v.base, v.path), -1, problem}
}

// joinPath copies, so that a path given to Get can stay on the caller's stack.
func joinPath(base string, path []string) string {
	joined := strings.Join(path, ".")
	if base == "" || joined == "" {
		return base + joined
	}
	return base + "." + joined
}

const number = "a number"

// kindOf names the type of a value by its first byte.
func kindOf(first byte) string {
	switch first {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	case 0:
		return "nothing"
	}
	return number
}
