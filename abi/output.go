package abi

// Output is one of several messages that handle_message makes of one. What is
// nil is as in the message, with what the [MessageResult] sets.
type Output struct {
	Data      []byte
	Batcher   *string
	BatchKey  *string
	BatchMode *BatchMode
}

// Size is the number of bytes that Append will write.
func (o Output) Size() int { return sizeChanges(o.Data, o.Batcher, o.BatchKey, o.BatchMode) }

// Append writes the frame at the end of dst.
func (o Output) Append(dst []byte) []byte {
	return appendChanges(dst, 1, o.Data, o.Batcher, o.BatchKey, o.BatchMode)
}

// sizeChanges is the size of the four fields that a result and an output have
// in common.
func sizeChanges(data []byte, batcher, key *string, mode *BatchMode) (n int) {
	if data != nil {
		n += sizeBytes(len(data))
	}
	if batcher != nil {
		n += sizeBytes(len(*batcher))
	}
	if key != nil {
		n += sizeBytes(len(*key))
	}
	if mode != nil {
		n += 2
	}
	return n
}

// appendChanges writes those fields, numbered from first on.
func appendChanges(dst []byte, first uint8, data []byte, batcher, key *string, mode *BatchMode) []byte {
	if data != nil {
		dst = appendBytes(dst, first, data)
	}
	if batcher != nil {
		dst = appendBytes(dst, first+1, *batcher)
	}
	if key != nil {
		dst = appendBytes(dst, first+2, *key)
	}
	if mode != nil {
		dst = append(appendKey(dst, first+3, wireVarint), byte(*mode))
	}
	return dst
}
