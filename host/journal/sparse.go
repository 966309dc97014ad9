package journal

// rewrite is a segment of which only what is unsettled is kept, under the same
// number and the same indexes.
type rewrite struct {
	ownedSegment
	value []byte
}

// sparse is the segments that should be rewritten. The journal is locked.
func (j *Journal) sparse() []rewrite { return nil }
