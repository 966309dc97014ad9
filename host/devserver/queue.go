package devserver

import (
	"cmp"
	"container/heap"
	"slices"
)

// queue is what a destination has not delivered. A record of its topic's log is
// ahead of the cursor, or open (seen but not delivered: held back until it is
// available, or unlocked), or else it was delivered or is not the queue's. It
// is guarded by state.mu.
type queue struct {
	wants func(*record) bool
	next  int            // the cursor: the index in the log of the first record not seen
	held  byAvailability // open, not yet known to be available
	ready []*record      // open and available, by offset
	open  map[int32]bool // the offsets in held and ready
	dirty map[int32]bool // offset to open or not: what the disk does not know yet
}

func newQueue(wants func(*record) bool) queue {
	return queue{wants: wants, open: map[int32]bool{}, dirty: map[int32]bool{}}
}

// take delivers up to n records that are available, by offset.
func (q *queue) take(log []*record, n int, now int64) []*record {
	q.release(now)
	taken := q.takeReady(n)
	for q.next < len(log) && len(taken) < n {
		r := log[q.next]
		q.next++
		switch {
		case !q.wants(r):
		case r.available > now:
			q.reopen(r)
		default:
			taken = append(taken, r)
		}
	}
	return taken
}

// release moves what has become available from held to ready.
func (q *queue) release(now int64) {
	n := len(q.ready)
	for len(q.held) > 0 && q.held[0].available <= now {
		q.ready = append(q.ready, heap.Pop(&q.held).(*record))
	}
	if len(q.ready) > n {
		slices.SortFunc(q.ready, func(a, b *record) int { return cmp.Compare(a.offset, b.offset) })
	}
}

func (q *queue) takeReady(n int) []*record {
	n = min(n, len(q.ready))
	taken := slices.Clone(q.ready[:n])
	q.ready = q.ready[n:]
	for _, r := range taken {
		delete(q.open, r.offset)
		q.dirty[r.offset] = false
	}
	return taken
}

// reopen makes a record that the cursor has passed deliverable, when it is
// available. It says whether it was not so already.
func (q *queue) reopen(r *record) bool {
	if q.open[r.offset] {
		return false
	}
	q.open[r.offset], q.dirty[r.offset] = true, true
	heap.Push(&q.held, r)
	return true
}

// inserted tells the queue of records that are at an index of the log now. It
// says whether the cursor had passed them.
func (q *queue) inserted(at int, records []*record) bool {
	if at >= q.next {
		return false
	}
	q.next += len(records)
	for _, r := range records {
		if q.wants(r) {
			q.reopen(r)
		}
	}
	return true
}

// unlock reopens the records with the ids that were delivered, and returns them.
func (q *queue) unlock(log []*record, ids []string) (unlocked []*record) {
	wanted := make(map[string]bool, len(ids))
	for _, id := range ids {
		wanted[id] = true
	}
	for _, r := range log[:q.next] {
		if wanted[r.id] && q.wants(r) && q.reopen(r) {
			unlocked = append(unlocked, r)
		}
	}
	return unlocked
}

// cursor is the offset up to which the queue has seen the log.
func (q *queue) cursor(log []*record) int32 {
	if q.next == 0 {
		return 0
	}
	return log[q.next-1].offset
}

// restore puts the queue where the disk says that it was.
func (q *queue) restore(log []*record, cursor int32, open []int32) {
	q.next, _ = slices.BinarySearchFunc(log, cursor+1, byOffset)
	for _, offset := range open {
		if i, ok := slices.BinarySearchFunc(log, offset, byOffset); ok {
			q.reopen(log[i])
		}
	}
	clear(q.dirty)
}

func byOffset(r *record, offset int32) int { return cmp.Compare(r.offset, offset) }

// byAvailability is a heap, soonest first.
type byAvailability []*record

func (h byAvailability) Len() int           { return len(h) }
func (h byAvailability) Less(i, j int) bool { return h[i].available < h[j].available }
func (h byAvailability) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *byAvailability) Push(r any)        { *h = append(*h, r.(*record)) }

func (h *byAvailability) Pop() any {
	last := len(*h) - 1
	r := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return r
}
