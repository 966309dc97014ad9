package relay

import (
	"slices"
	"strings"

	"github.com/relayhost/relayhost/abi"
)

// Retryable marks err: another attempt at the message may go better. It is nil
// if err is.
func Retryable(err error) error {
	if err == nil {
		return nil
	}
	return retryable{err}
}

type retryable struct{ error }

func (r retryable) Unwrap() error { return r.error }

// isRetryable looks for the mark in err and in what it wraps. It does without
// errors.As, which would add 60 kB to the module.
func isRetryable(err error) bool {
	switch e := err.(type) { //nolint:errorlint // this is the unwrapping
	case retryable:
		return true
	case interface{ Unwrap() error }:
		return isRetryable(e.Unwrap())
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(e.Unwrap(), isRetryable)
	}
	return false
}

// failure is the result of a message that err failed, or an ok one for nil.
func failure(index uint32, err error) abi.MessageResult {
	r := abi.MessageResult{Index: index}
	if err != nil {
		r.Status, r.Reason, r.Retryable = abi.StatusFailed, validText(err.Error()), isRetryable(err)
	}
	return r
}

// validText keeps a text with stray bytes from spoiling the whole answer: the
// host refuses a frame with text that is not UTF-8.
func validText(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
