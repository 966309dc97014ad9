package eventrelay

import (
	"strings"
	"unicode"

	"google.golang.org/grpc/status"
)

// Diagnosis says for people what is probably wrong.
type Diagnosis struct {
	// Cause is one sentence. Equal troubles have equal causes.
	Cause string
	// Hint says what to do about it, or is empty.
	Hint string
}

// Diagnose explains an error of a call. It is meant for people; programs ask
// status.Code.
func Diagnose(err error) Diagnosis {
	if err == nil {
		return Diagnosis{}
	}
	s := status.Convert(err)
	for _, known := range symptoms {
		if known.code == s.Code() && strings.Contains(s.Message(), known.text) {
			return known.Diagnosis
		}
	}
	return Diagnosis{Cause: "the call failed with " + s.Code().String()}
}

// Error is a failed call with its diagnosis.
type Error struct {
	Diagnosis
	// Err is the call's own error.
	Err error
}

// Explain wraps a call's error into an [Error]; nil stays nil.
func Explain(err error) error {
	if err == nil {
		return nil
	}
	return &Error{Diagnosis: Diagnose(err), Err: err}
}

// Error gives the cause, what the call said, and the hint in a line of its own.
func (e *Error) Error() string {
	text := e.Cause + " (" + Detail(e.Err) + ")"
	if e.Hint != "" {
		text += "\nhint: " + e.Hint
	}
	return text
}

// Unwrap returns the call's own error.
func (e *Error) Unwrap() error { return e.Err }

// maxDetail bounds what a server can put into a log, in bytes.
const maxDetail = 300

// Detail is what the call itself said: a gRPC code and the server's message,
// cut and without control characters, for it may be anything.
func Detail(err error) string {
	s := status.Convert(err)
	message := s.Message()
	if len(message) > maxDetail {
		message = message[:maxDetail] + "…"
	}
	return s.Code().String() + ": " + strings.Map(printable, strings.ToValidUTF8(message, "�"))
}

func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return ' '
}
