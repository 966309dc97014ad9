package journal

import (
	"cmp"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// A pull is kept as one value until all of it has settled. So that a message
// that is stuck does not hold the room of a thousand, pulls are rewritten without
// what settled once they hold much more than what is unsettled. The number and
// the indexes stay: messages in flight know them.

// rewrite is a new value of a segment.
type rewrite struct {
	ownedSegment
	settled []byte // when it was chosen
	value   []byte
}

// sparseBytes is how much may be held for nothing, beside as much as is unsettled.
var sparseBytes int64 = 16 << 20

// rewriteBytes bounds what is read and written again in one commit.
const rewriteBytes = 4 << 20

// sparse is the segments that should be rewritten, the oldest first. The journal
// is locked.
func (j *Journal) sparse() (chosen []rewrite) {
	var held, unsettled int64
	for _, p := range j.pipelines {
		held += p.held
		unsettled += p.unsettledBytes
	}
	if held-unsettled <= max(sparseBytes, unsettled) {
		return nil
	}
	for _, p := range j.pipelines {
		for _, s := range p.segments {
			if s.stored && s.size > 2*s.bytes+sparseOverhead(s) {
				chosen = append(chosen, rewrite{ownedSegment: ownedSegment{p, s}, settled: slices.Clone(s.settled)})
			}
		}
	}
	slices.SortFunc(chosen, func(a, b rewrite) int { return cmp.Compare(a.segment.number, b.segment.number) })
	size := int64(0)
	for i := range chosen {
		if size += chosen[i].size; size > rewriteBytes {
			return chosen[:i+1]
		}
	}
	return chosen
}

// sparseOverhead is about what a segment takes beside its events.
func sparseOverhead(s *segment) int64 { return 256 + 64*int64(s.unsettled) }

// fill reads what is to be rewritten. What has settled since it was chosen stays:
// it goes with the commit that keeps its dead letter.
func fill(g *generation, all []rewrite) error {
	return g.read(func(db *pebble.DB) error {
		for i := range all {
			w := &all[i]
			if w.value != nil {
				continue // of a commit that is tried again
			}
			value, err := get(db, segmentKey(keySegment, w.pipeline.number, w.segment.number))
			if err != nil {
				return err
			}
			if w.value, err = shrink(value, w.settled); err != nil {
				return err
			}
		}
		return nil
	})
}

// shrink is a segment's value without what settled.
func shrink(value, settled []byte) ([]byte, error) {
	v, err := decodeSegment(value)
	if err != nil {
		return nil, err
	}
	if err := v.without(settled); err != nil {
		return nil, err
	}
	return appendSegment(nil, v), nil
}
