package message

import (
	"bytes"
	"strings"
)

// EqualData tells data that was left as it was from data that is empty.
func EqualData(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

// Equal reports whether two outputs would go the same way with the same data.
func (o Output) Equal(p Output) bool {
	return EqualData(o.Data, p.Data) && o.Batcher == p.Batcher && o.BatchKey == p.BatchKey && o.Flush == p.Flush &&
		o.SetBatcher == p.SetBatcher && o.SetBatchKey == p.SetBatchKey && o.SetFlush == p.SetFlush
}

// EqualReason compares reasons, less the function that a trap was in: its number
// is another one in every build.
func (o Outcome) EqualReason(p Outcome) bool { return o.comparable() == p.comparable() }

func (o Outcome) comparable() string {
	if o.Kind == Trap {
		what, _, _ := strings.Cut(o.Reason, " in ")
		return what
	}
	return o.Reason
}
