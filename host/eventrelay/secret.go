package eventrelay

import (
	"fmt"
	"io"
)

// Secret holds a text that must not be seen. However it is printed, logged or
// marshalled, alone or inside another value, it shows as "[redacted]", or as
// nothing if it is empty.
type Secret struct {
	// A function, because reflection prints the text of every other kind of
	// field that it meets where it may not call a method.
	reveal func() string
}

// NewSecret keeps text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{reveal: func() string { return text }}
}

// Reveal returns the text.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// String returns "[redacted]", or "" if there is no text.
func (s Secret) String() string {
	if s.reveal == nil {
		return ""
	}
	return "[redacted]"
}

// Format prints String, whatever the verb and the flags.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText returns String.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
