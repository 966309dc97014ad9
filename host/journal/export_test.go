package journal

// SetMemTable makes the store write tables sooner, so that tests see it do so.
func SetMemTable(size uint64) (before uint64) {
	before, memTable = memTable, size
	return before
}
