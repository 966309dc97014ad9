package abi

import "encoding/binary"

// MessageResult is the output of handle_message, and one item of a
// [BatchResult]. The zero value says: ok, nothing changed.
type MessageResult struct {
	// Index is the message's position in [Batch.Messages]; 0 for
	// handle_message.
	Index  uint32
	Status Status
	// Reason says for people why the message failed.
	Reason string
	// Retryable says that another attempt may go better.
	Retryable bool
	// Data replaces the message's data; nil leaves it.
	Data []byte
	// Batcher and BatchKey route the message; nil leaves them.
	Batcher   *string
	BatchKey  *string
	BatchMode *BatchMode
	// OnFailure is what becomes of the message if it fails, now or later.
	OnFailure OnFailure
	// Outputs go on in the message's place; only in the output of
	// handle_message.
	Outputs []Output
}

// Size is the number of bytes that Append will write.
func (r MessageResult) Size() int {
	n := sizeVarint(uint64(r.Index)) + sizeVarint(uint64(r.Status)) + sizeText(r.Reason)
	if r.Retryable {
		n += 2
	}
	n += sizeChanges(r.Data, r.Batcher, r.BatchKey, r.BatchMode) + sizeVarint(uint64(r.OnFailure))
	for i := range r.Outputs {
		n += sizeBytes(r.Outputs[i].Size())
	}
	return n
}

// Append writes the frame at the end of dst.
func (r MessageResult) Append(dst []byte) []byte {
	dst = appendVarint(dst, 1, uint64(r.Index))
	dst = appendVarint(dst, 2, uint64(r.Status))
	dst = appendText(dst, 3, r.Reason)
	if r.Retryable {
		dst = appendVarint(dst, 4, 1)
	}
	dst = appendChanges(dst, 5, r.Data, r.Batcher, r.BatchKey, r.BatchMode)
	dst = appendVarint(dst, 9, uint64(r.OnFailure))
	for i := range r.Outputs {
		dst = appendKey(dst, 10, wireBytes)
		dst = binary.AppendUvarint(dst, uint64(r.Outputs[i].Size())) //nolint:gosec // a length
		dst = r.Outputs[i].Append(dst)
	}
	return dst
}

// ParseMessageResult reads a frame that [MessageResult.Append] or any protobuf
// library wrote. What it allocates for outputs may be many times the frame's
// length; for what a guest returned, the host uses a [ResultView].
func ParseMessageResult(b []byte) (MessageResult, error) {
	var v ResultView
	var outputs []Output
	err := v.Read(b, func(c Changes) error { outputs = append(outputs, c.output()); return nil })
	r := v.result()
	r.Outputs = outputs
	return r, err
}
