package pipeline

import "github.com/relayhost/relayhost/host/message"

// Partition is a field that messages are partitioned by: those with an equal
// value go the same way, in order.
type Partition struct {
	// Field is its name.
	Field string
	// Value is a message's value, empty if it has none: that is a partition as
	// any other.
	Value func(*message.Message) string
}

// slot is which of n slots handles the partition of a value: by FNV-1a, which
// is the same in every run, folded, since its low bits alone are weak.
func slot(value string, n int) int {
	h := uint64(14695981039346656037)
	for i := range len(value) {
		h = (h ^ uint64(value[i])) * 1099511628211
	}
	return int((h ^ h>>32) % uint64(n)) //nolint:gosec // below n
}
