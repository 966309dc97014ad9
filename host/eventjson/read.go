// Package eventjson reads events that people write down as JSON. Start with
// [Read], for EventRelay's Event as for its NewEvent.
//
// # The text
//
// JSON objects one after the other, a line each or not, and arrays of them. The
// fields have the names of EventRelay's schema, in snake_case or camelCase. Field
// data is JSON text in a string, or any other value, which then becomes text
// without the spaces.
//
// # Hostile text
//
// A text may be anything. What is held is a small multiple of its length.
package eventjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
)

// Error says which event of a text cannot be read, and why.
type Error struct {
	// Line is the line of the text at which the event begins, and Event its
	// number in the text; both from 1.
	Line, Event int
	Err         error
}

func (e *Error) Error() string { return fmt.Sprintf("line %d: event %d: %v", e.Line, e.Event, e.Err) }

// Unwrap returns why.
func (e *Error) Unwrap() error { return e.Err }

// Message is a pointer to a generated message.
type Message[T any] interface {
	*T
	proto.Message
}

// Read returns every event of a text, which may be none. T is one of the
// generated messages of package proto/eventrelay. The error is an [*Error] if
// the text is to blame.
func Read[T any, M Message[T]](r io.Reader) ([]M, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	var events []M
	err = walk(text, func(object []byte) error {
		event := M(new(T))
		events = append(events, event)
		return decode(object, event)
	})
	if err != nil {
		return nil, err
	}
	return events, nil
}

var errNotUTF8 = errors.New("not UTF-8")

// walker goes through a text, event by event.
type walker struct {
	text  []byte
	json  *json.Decoder
	seen  int // events
	yield func(object []byte) error
}

func walk(text []byte, yield func([]byte) error) error {
	w := walker{text: text, json: json.NewDecoder(bytes.NewReader(text)), yield: yield}
	for {
		rest := w.rest()
		switch {
		case len(rest) == 0:
			return nil
		case rest[0] != '[':
			if err := w.event(); err != nil {
				return err
			}
		default:
			if err := w.array(); err != nil {
				return err
			}
		}
	}
}

// rest is the text from the next value on.
func (w *walker) rest() []byte { return bytes.TrimLeft(w.text[w.json.InputOffset():], " \t\r\n") }

func (w *walker) array() error {
	if _, err := w.json.Token(); err != nil {
		return err
	}
	for w.json.More() {
		if err := w.event(); err != nil {
			return err
		}
	}
	_, err := w.json.Token()
	if err == nil {
		return nil
	}
	w.seen++
	return w.fault(w.begin(), syntax(err))
}

// event reads the value that comes next.
func (w *walker) event() error {
	var value json.RawMessage
	w.seen++
	begin := w.begin()
	if err := w.json.Decode(&value); err != nil {
		return w.fault(begin, syntax(err))
	}
	if !utf8.Valid(value) {
		return w.fault(begin, errNotUTF8)
	}
	if err := w.yield(value); err != nil {
		return w.fault(begin, err)
	}
	return nil
}

// begin is where the next value begins, in an array or not.
func (w *walker) begin() int { return len(w.text) - len(bytes.TrimLeft(w.rest(), " \t\r\n,")) }

// fault is an error of the event that begins at an offset.
func (w *walker) fault(begin int, err error) error {
	return &Error{Line: 1 + bytes.Count(w.text[:begin], []byte{'\n'}), Event: w.seen, Err: err}
}

// syntax says for people what is wrong with a text that is not JSON.
func syntax(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return errors.New("the text ends in the middle")
	}
	return fmt.Errorf("not JSON: %w", err)
}
