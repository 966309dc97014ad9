package journal

// SetMemTable makes the store write tables sooner, so that tests see it do so.
func SetMemTable(size uint64) (before uint64) {
	before, memTable = memTable, size
	return before
}

// SetSparse says from how many bytes on that are held for nothing pulls are
// rewritten.
func SetSparse(size int64) (before int64) {
	before, sparseBytes = sparseBytes, size
	return before
}
