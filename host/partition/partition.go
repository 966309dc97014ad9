// Package partition reads the fields of events that messages are partitioned
// by. Start with [Parse].
//
// # Fields
//
//   - group_key, user_key, reference_key, trace_key, anonymous_key, name and
//     topic are the event's own.
//   - context.KEY is a value of its context; KEY is all that follows the dot.
//   - data.a.b is what lies under the keys a and b in its data, which is JSON. A
//     dot in a key is written \. and a backslash \\; nothing else is special:
//     there are no wildcards, and no places in arrays.
//
// # Values
//
// A value is text: a string's own, a number's as it is written, or true or
// false. Whatever else there is has the empty value: an event that is malformed
// or lacks the field, data that is not JSON or nests deeper than 10,000, null,
// an array, an object. Of a key that an object has twice the first counts.
// Only the first 1,024 bytes of a value count, so that no event makes the
// pipeline remember more: values that are longer and begin alike are equal.
package partition

import (
	"errors"
	"strings"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/message"
)

// Fields is what [Parse] takes, for people.
const Fields = "group_key, user_key, reference_key, trace_key, anonymous_key, name, topic, context.KEY, data.KEY, data.KEY.KEY and so on"

// longest is how many bytes of a value count, and how long a field may be.
const longest = 1024

// Why a text is no field. None shows any of it.
var (
	ErrUnknown = errors.New("not a field of events")
	ErrPath    = errors.New(`not a path: a key is empty, or a \ is before neither . nor \`)
)

// Field is one field of events. Make it with [Parse].
type Field struct {
	text string
	// A key of the context, or a path in the data, or else it is one of the
	// event's own.
	contextKey string
	path       []string
}

// Parse reads a field as a configuration gives it, at most 1,024 bytes. The
// error is [ErrUnknown] or [ErrPath].
func Parse(text string) (*Field, error) {
	if len(text) > longest {
		return nil, ErrUnknown
	}
	if _, ok := own(&abi.Event{}, text); ok {
		return &Field{text: text}, nil
	}
	where, rest, _ := strings.Cut(text, ".")
	switch {
	case where == "context" && rest != "":
		return &Field{text: text, contextKey: rest}, nil
	case where == "data" && rest != "":
		path, err := parsePath(rest)
		if err != nil {
			return nil, err
		}
		return &Field{text: text, path: path}, nil
	}
	return nil, ErrUnknown
}

// String is the text that the field was parsed from.
func (f *Field) String() string { return f.text }

// Value is a message's value, as its event had it when it came; empty if it has
// none. It allocates nothing but the value, unless keys or the value have
// escapes.
func (f *Field) Value(m *message.Message) string {
	e, err := abi.ParseEvent(m.Event)
	if err != nil {
		return ""
	}
	var value []byte
	switch {
	case f.path != nil:
		return find(e.Data, f.path)
	case f.contextKey != "":
		value, _ = e.Context(f.contextKey)
	default:
		value, _ = own(&e, f.text)
	}
	return string(value[:min(len(value), longest)])
}

// own is one of the event's own fields.
func own(e *abi.Event, name string) (value []byte, ok bool) {
	switch name {
	case "group_key":
		return e.GroupKey, true
	case "user_key":
		return e.UserKey, true
	case "reference_key":
		return e.ReferenceKey, true
	case "trace_key":
		return e.TraceKey, true
	case "anonymous_key":
		return e.AnonymousKey, true
	case "name":
		return e.Name, true
	case "topic":
		return e.Topic, true
	}
	return nil, false
}
