package trial

import (
	"bytes"
	"slices"
	"strings"

	"github.com/relayhost/relayhost/host/message"
)

// Field is something in which two runs of the same event, or two batches of the
// same events, can differ.
type Field string

// The fields, in the order in which they are listed.
const (
	// FieldOutcome: the one ended and the other did not, or they ended by
	// different kinds. Of those of which one is ok, nothing more is compared.
	FieldOutcome   Field = "outcome"
	FieldReason    Field = "reason"
	FieldRetryable Field = "retryable"
	FieldOnFailure Field = "on_failure"
	FieldAttempts  Field = "attempts"
	FieldData      Field = "data"
	FieldOutputs   Field = "outputs"
	FieldBatcher   Field = "batcher"
	FieldBatchKey  Field = "batch_key"
	FieldFlush     Field = "flush"
	// FieldFailed and FieldRecords are of batches only.
	FieldFailed  Field = "failed"
	FieldRecords Field = "records"
)

// Fields returns all fields of events and batches, in their order.
func Fields() []Field {
	return []Field{
		FieldOutcome, FieldReason, FieldRetryable, FieldOnFailure, FieldAttempts, FieldData, FieldOutputs,
		FieldBatcher, FieldBatchKey, FieldFlush, FieldFailed, FieldRecords,
	}
}

// Differences returns the fields in which another run of the same event differs.
// Fuel and time are not among them: they hardly ever are the same.
func (a *Ack) Differences(b *Ack) []Field {
	if a.OK() != b.OK() {
		return []Field{FieldOutcome}
	}
	return differing([]comparison{
		{FieldOutcome, a.Settled == b.Settled && a.Outcome.Kind == b.Outcome.Kind},
		{FieldReason, reason(a.Outcome) == reason(b.Outcome)},
		{FieldRetryable, a.Outcome.Retryable == b.Outcome.Retryable},
		{FieldOnFailure, a.Outcome.Action == b.Outcome.Action},
		{FieldAttempts, a.Attempts == b.Attempts},
		{FieldData, same(a.Data, b.Data)},
		{FieldOutputs, slices.EqualFunc(a.Outputs, b.Outputs, sameOutput)},
		{FieldBatcher, a.Batcher == b.Batcher},
		{FieldBatchKey, a.BatchKey == b.BatchKey},
		{FieldFlush, a.Flush == b.Flush},
	})
}

// SameEvents reports whether another batch gathered the same events in the same
// place, so that what came of them can be compared.
func (b *Batch) SameEvents(c *Batch) bool {
	return b.Batcher == c.Batcher && b.Key == c.Key && b.Partition == c.Partition && slices.Equal(b.Events, c.Events)
}

// Differences returns the fields in which another batch of the same events
// differs.
func (b *Batch) Differences(c *Batch) []Field {
	return differing([]comparison{
		{FieldFailed, b.Failed == c.Failed},
		{FieldRecords, slices.EqualFunc(b.Records, c.Records, bytes.Equal)},
	})
}

type comparison struct {
	field Field
	same  bool
}

func differing(all []comparison) (fields []Field) {
	for _, c := range all {
		if !c.same {
			fields = append(fields, c.field)
		}
	}
	return fields
}

// reason is an outcome's, less the function that a trap was in: its number is
// another one in every build.
func reason(o message.Outcome) string {
	if o.Kind == message.Trap {
		what, _, _ := strings.Cut(o.Reason, " in ")
		return what
	}
	return o.Reason
}

// same tells data that was left as it was from data that is empty.
func same(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

func sameOutput(a, b message.Output) bool {
	return same(a.Data, b.Data) && a.Batcher == b.Batcher && a.BatchKey == b.BatchKey && a.Flush == b.Flush &&
		a.SetBatcher == b.SetBatcher && a.SetBatchKey == b.SetBatchKey && a.SetFlush == b.SetFlush
}
