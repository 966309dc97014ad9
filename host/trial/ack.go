package trial

import (
	"time"

	"github.com/relayhost/relayhost/host/message"
)

// Ack is what became of one event.
type Ack struct {
	// ID is the event's.
	ID string
	// Settled: the event has ended. What has not waits in a halted partition, or
	// was cut off.
	Settled bool
	// Outcome is how it ended or, if it has not, what failed it last, if anything
	// did.
	Outcome message.Outcome
	// Attempts is how often it was handled; 0 if it never was.
	Attempts int
	// Data is what the plugin put in place of the event's data, nil if it did
	// not. Batcher and BatchKey are where it was routed to, and with Flush it does
	// not wait there.
	Data              []byte
	Batcher, BatchKey string
	Flush             bool
	// Outputs are what the plugin made of it to go on in its place, if it did.
	Outputs []message.Output
	// Fuel is what the last call of handle_message used, in units of package
	// meter, and Took how long that was.
	Fuel uint64
	Took time.Duration
	// Batches are those that it, or an output of it, was in: more than one after
	// another attempt.
	Batches []*Batch
}

// OK reports whether the event ended well.
func (a *Ack) OK() bool { return a.Settled && a.Outcome.OK() }

// Batch is a batch that the plugin has handled.
type Batch struct {
	Batcher, Key string
	// Partition is the number of the slot, if the batcher is partitioned.
	Partition int
	Trigger   message.Trigger
	// Events are the indexes of the events, in the batch's order. An event of
	// which the plugin has made several may be there more than once.
	Events []int
	// Failed is how many of them the plugin or the sink has failed.
	Failed int
	// Records are what was delivered, in order; none if the sink failed.
	Records [][]byte
	// Fuel is what handle_batch used, and Took how long that was.
	Fuel uint64
	Took time.Duration
}
