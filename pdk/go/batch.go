package relay

import "github.com/relayhost/relayhost/abi"

// Trigger says why a batch was emitted.
type Trigger = abi.Trigger

// The triggers: the batch is full, its timeout is over, or a message or the
// end of the pipeline flushed it.
const (
	TriggerSize    = abi.TriggerSize
	TriggerTimeout = abi.TriggerTimeout
	TriggerFlush   = abi.TriggerFlush
)

// Batch is messages of one batcher and one batch key. It is valid only during
// the handler's call.
type Batch struct {
	batcher, key string
	trigger      Trigger
	partition    int
	all          []Message
	messages     []*Message
	// out is the answer as far as it is written: the records. The results
	// follow when the handler has returned.
	out []byte
}

// load begins the batch anew; its answer is written to out. A message whose
// event cannot be read has failed, and the handler does not see it.
func (b *Batch) load(in abi.Batch, out []byte) {
	b.batcher, b.key, b.trigger, b.partition, b.out = in.Batcher, in.BatchKey, in.Trigger, int(in.Partition), out
	b.messages = b.messages[:0]
	if cap(b.all) < len(in.Messages) {
		b.all = make([]Message, len(in.Messages))
	}
	b.all = b.all[:len(in.Messages)]
	for i := range b.all {
		m := &b.all[i]
		if m.err = m.load(in.Messages[i], i, nil); m.err == nil {
			b.messages = append(b.messages, m)
		}
	}
}

// Batcher is the batcher's name.
func (b *Batch) Batcher() string { return b.batcher }

// Key is the batch key that the messages have in common, or empty.
func (b *Batch) Key() string { return b.key }

// Trigger says why the batch was emitted.
func (b *Batch) Trigger() Trigger { return b.trigger }

// Partition is the number of the batcher's slot that handles the batch, from 0
// on, if the batcher is partitioned; 0 otherwise.
func (b *Batch) Partition() int { return b.partition }

// Messages is the batch's messages, in the order in which the batcher got
// them. Those that the handler does not [Message.Fail] succeed, once the sink
// has taken the records; [Message.OnFailure] counts too, and what a handler sets
// on them otherwise is ignored.
func (b *Batch) Messages() []*Message { return b.messages }

// Emit adds a copy of record to what the batcher's sink delivers, in order,
// before any message of the batch is acknowledged.
func (b *Batch) Emit(record []byte) { b.out = abi.AppendRecord(b.out, record) }

// fail fails every message and takes the records back.
func (b *Batch) fail(err error) {
	b.out = b.out[:0]
	for i := range b.all {
		b.all[i].Fail(err)
	}
}

func (b *Batch) result() []byte {
	for i := range b.all {
		r := abi.MessageResult{Index: b.all[i].patch.Index}
		if err := b.all[i].err; err != nil {
			r = failure(r.Index, err)
		}
		r.OnFailure = b.all[i].patch.OnFailure
		b.out = abi.AppendResult(b.out, r)
	}
	return b.out
}
