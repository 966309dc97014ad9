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
	in       abi.Batch
	all      []Message
	messages []*Message
	// out is the answer as far as it is written: the records. The results
	// follow when the handler has returned.
	out []byte
}

// load begins the batch anew; its answer is written to out. A message whose
// event cannot be read has failed, and the handler does not see it.
func (b *Batch) load(frame, out []byte) (err error) {
	b.out, b.all, b.messages = out, b.all[:0], b.messages[:0]
	if b.in, err = abi.WalkBatch(frame, b.add); err != nil {
		return err
	}
	for i := range b.all {
		m := &b.all[i]
		if m.err = m.load(i); m.err == nil {
			b.messages = append(b.messages, m)
		}
	}
	return nil
}

// add has one more message in the batch, in the place of one that was there
// before, if there was.
func (b *Batch) add(frame []byte) error {
	n := len(b.all)
	if n < cap(b.all) {
		b.all = b.all[:n+1]
	} else {
		b.all = append(b.all, Message{})
	}
	return b.all[n].in.Read(frame)
}

// Batcher is the batcher's name.
func (b *Batch) Batcher() string { return b.in.Batcher }

// Key is the batch key that the messages have in common, or empty.
func (b *Batch) Key() string { return b.in.BatchKey }

// Trigger says why the batch was emitted.
func (b *Batch) Trigger() Trigger { return b.in.Trigger }

// Partition is the number of the batcher's slot that handles the batch, from 0
// on, if the batcher is partitioned; 0 otherwise.
func (b *Batch) Partition() int { return int(b.in.Partition) }

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
		if m := &b.all[i]; m.err == nil && m.patch.OnFailure == AsConfigured {
			b.out = abi.AppendOK(b.out, m.patch.Index)
		} else {
			b.out = abi.AppendResult(b.out, m.outcome())
		}
	}
	return b.out
}

// outcome is the message's part of a batch's answer: nothing that would change it.
func (m *Message) outcome() abi.MessageResult {
	r := failure(m.patch.Index, m.err)
	r.OnFailure = m.patch.OnFailure
	return r
}
