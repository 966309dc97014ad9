package pipeline

import (
	"hash/maphash"

	"github.com/relayhost/relayhost/host/message"
)

// Partition is a field that messages are partitioned by: those with an equal
// value go the same way, in order.
type Partition struct {
	// Field is its name.
	Field string
	// Value is a message's value, empty if it has none: that is a partition as
	// any other.
	Value func(*message.Message) string
}

var partitionSeed = maphash.MakeSeed()

// slot is which of n slots handles the partition of a value.
func slot(value string, n int) int {
	return int(maphash.String(partitionSeed, value) % uint64(n)) //nolint:gosec // below n
}
