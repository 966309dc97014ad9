// Package secret keeps texts that must not be seen: tokens and keys. Start with
// [New]; only [Text.Reveal] gives a text away.
package secret

import (
	"fmt"
	"io"
)

// Text holds a text that must not be seen. However it is printed, logged or
// marshalled, alone or inside another value, it shows as "[redacted]", or as
// nothing if it is empty.
type Text struct {
	// A function, because reflection prints the text of every other kind of
	// field that it meets where it may not call a method.
	reveal func() string
}

// New keeps text.
func New(text string) Text {
	if text == "" {
		return Text{}
	}
	return Text{reveal: func() string { return text }}
}

// Reveal returns the text.
func (s Text) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// String returns "[redacted]", or "" if there is no text.
func (s Text) String() string {
	if s.reveal == nil {
		return ""
	}
	return "[redacted]"
}

// Format prints String, whatever the verb and the flags.
func (s Text) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText returns String.
func (s Text) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
