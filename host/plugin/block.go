package plugin

import "bytes"

// blockSize is how many bytes of messages' data are allocated at once. A message
// that waits for long keeps all of the block that its data lies in, so that it may
// not be large: the events of a pull keep more of each other anyway.
const blockSize = 16 << 10

// block is where a slot puts the data that messages keep: there is an allocation
// for each block and none for a message. What was given out is the message's, and
// is never used again.
type block struct{ free []byte }

// clone is bytes.Clone. What is large has an allocation of its own, so that little
// of a block is left over.
func (b *block) clone(data []byte) []byte {
	n := len(data)
	if n == 0 || n > blockSize/4 {
		return bytes.Clone(data)
	}
	if n > len(b.free) {
		b.free = make([]byte, blockSize)
	}
	kept := b.free[:n:n]
	b.free = b.free[n:]
	copy(kept, data)
	return kept
}
