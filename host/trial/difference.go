package trial

import (
	"bytes"
	"slices"

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
		{FieldReason, a.Outcome.EqualReason(b.Outcome)},
		{FieldRetryable, a.Outcome.Retryable == b.Outcome.Retryable},
		{FieldOnFailure, a.Outcome.Action == b.Outcome.Action},
		{FieldAttempts, a.Attempts == b.Attempts},
		{FieldData, message.EqualData(a.Data, b.Data)},
		{FieldOutputs, slices.EqualFunc(a.Outputs, b.Outputs, message.Output.Equal)},
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
