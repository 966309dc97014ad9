package message

// Trigger says why a batch was emitted.
type Trigger uint8

// The triggers. A drain is a flush.
const (
	TriggerSize Trigger = iota
	TriggerTimeout
	TriggerFlush
)

// String is the trigger's name in logs and metrics.
func (t Trigger) String() string {
	return [...]string{"size", "timeout", "flush"}[t]
}

// Batch is messages of one batcher and one batch key, in the order in which
// the batcher got them.
type Batch struct {
	Batcher string
	Key     string
	// Partition is the number of the batcher's slot that handles the batch, if
	// the batcher is partitioned, from 0 on.
	Partition int
	Trigger   Trigger
	// Plugin is the digest of the plugin version that handled the batch, in hex.
	// Its handler says so, also if it fails.
	Plugin   string
	Messages []*Message
}

// BatchResult is what handle_batch returns.
type BatchResult struct {
	// Outcomes has one item for each of Batch.Messages, by position.
	Outcomes []Outcome
	// Records is what the sink delivers before any message is acknowledged.
	Records []Record
}

// Record is one output of a batch handler.
type Record struct {
	Data []byte
}

// FailAll is the result that fails each of n messages alike.
func FailAll(n int, o Outcome) BatchResult {
	outcomes := make([]Outcome, n)
	for i := range outcomes {
		outcomes[i] = o
	}
	return BatchResult{Outcomes: outcomes}
}
