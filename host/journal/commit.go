package journal

import (
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// queue is what the committer takes next. Settlements are in the segments that
// changed, so that it cannot grow beyond what is in flight.
type queue struct {
	tasks   []*task
	changed []ownedSegment // segments of which messages settled
	letters []letter       // new dead letters
	moved   []*pipeline    // floors that moved
	dropped []ownedMarks   // marks that were forgotten
}

type ownedSegment struct {
	*pipeline
	*segment
}

type ownedMarks struct {
	*pipeline
	marks
}

type letter struct {
	number uint64
	value  []byte
}

// task is something that its caller waits for. It is applied to a batch, once or
// more often: what a commit that failed has done is not known.
type task struct {
	size  int // about how many bytes it writes
	apply func(b *pebble.Batch, k *books) error
	// committed takes note in the ledger, once. The journal is locked.
	committed func()
	done      chan error
	taken     bool
}

// round is what one commit does, as it was when it was taken: doing it again
// comes to the same.
type round struct {
	tasks   []*task
	names   []*pipeline
	bitmaps []bitmapWrite
	letters []letter
	floors  []floorWrite
	dropped []ownedMarks
	rewrite []rewrite
	next    uint64
	books   books // after it
}

type bitmapWrite struct {
	ownedSegment
	bits  []byte // nil: all settled, the segment goes
	known bool   // the store has a bitmap
}

type floorWrite struct {
	pipeline uint32
	floor    int64
}

// roundBytes bounds what the tasks of a commit write, beyond the first.
const roundBytes = 8 << 20

// submit queues a task. The journal is locked.
func (j *Journal) submit(t *task) {
	t.done = make(chan error, 1)
	j.queue.tasks = append(j.queue.tasks, t)
	j.kickCommitter()
}

// withdraw takes a task back that was not taken. The journal is locked.
func (j *Journal) withdraw(gone *task) {
	j.queue.tasks = slices.DeleteFunc(j.queue.tasks, func(t *task) bool { return t == gone })
}

// run submits a task and waits until it is done, or cannot be for now.
func (j *Journal) run(t *task) error {
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return ErrClosed
	}
	j.submit(t)
	for {
		if err := j.trouble; err != nil {
			if !t.taken {
				j.withdraw(t)
			}
			j.mu.Unlock()
			return err
		}
		changed := j.changed
		j.mu.Unlock()
		select {
		case err := <-t.done:
			return err
		case <-j.over:
			return ErrClosed
		case <-changed:
		}
		j.mu.Lock()
	}
}

// flush waits until what was queued so far is in the store.
func (j *Journal) flush() error {
	return j.run(&task{apply: func(*pebble.Batch, *books) error { return nil }})
}

// commitAll commits what is queued until the journal is closed.
func (j *Journal) commitAll() {
	defer close(j.ended)
	watch := watch{j: j}
	for {
		watch.look()
		if r := j.take(); r != nil {
			if !j.carryOut(r) {
				return
			}
			continue
		}
		select {
		case <-j.kick:
		case <-j.generation().failed:
			if !j.heal() {
				return
			}
		case <-j.closing:
			if r := j.take(); r != nil && !j.carryOut(r) {
				return
			}
			j.finish()
			return
		}
	}
}

func (j *Journal) generation() *generation {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.store
}

// carryOut commits a round, however often it takes. It reports false if the
// journal was closed before it succeeded.
func (j *Journal) carryOut(r *round) bool {
	for {
		if err := j.commit(r); err == nil {
			j.done(r)
			return true
		}
		if !j.heal() {
			return false
		}
	}
}

// take is what is queued now, nil if nothing is.
func (j *Journal) take() *round {
	j.mu.Lock()
	defer j.mu.Unlock()
	q := &j.queue
	if len(q.tasks)+len(q.changed)+len(q.letters)+len(q.moved)+len(q.dropped) == 0 {
		return nil
	}
	r := &round{letters: q.letters, dropped: q.dropped, next: j.next}
	size, n := 0, 0
	for _, t := range q.tasks {
		if size += t.size; n > 0 && size > roundBytes {
			break
		}
		t.taken = true
		n++
	}
	r.tasks = q.tasks[:n:n]
	for _, s := range q.changed {
		s.changed = false
		w := bitmapWrite{ownedSegment: s, known: s.bitmap}
		if s.segment.unsettled > 0 {
			w.bits = slices.Clone(s.settled)
		}
		r.bitmaps = append(r.bitmaps, w)
	}
	for _, p := range q.moved {
		p.moved = false
		r.floors = append(r.floors, floorWrite{p.number, p.floor})
	}
	for _, p := range j.pipelines {
		if !p.named {
			r.names = append(r.names, p)
		}
	}
	*q = queue{tasks: q.tasks[n:]}
	r.rewrite = j.sparse()
	return r
}

// commit writes a round.
func (j *Journal) commit(r *round) error {
	g := j.generation()
	if err := fill(g, r.rewrite); err != nil {
		g.fail("read", "store", err, true)
		return err
	}
	b := g.db.NewBatch()
	k := j.books
	if err := r.apply(b, &k); err != nil {
		return err
	}
	if err := g.commit(b); err != nil {
		return err
	}
	r.books = k
	_ = b.Close()
	return nil
}

// apply writes a round into a batch. The errors are none of the disk's: memory.
func (r *round) apply(b *pebble.Batch, k *books) error {
	k.commits++
	k.next = r.next
	for _, p := range r.names {
		must(b.Set(pipelineKey(keyName, p.number), []byte(p.name), nil))
	}
	for _, t := range r.tasks {
		must(t.apply(b, k))
	}
	for _, l := range r.letters {
		must(b.Set(letterKey(l.number), l.value, nil))
		k.letters++
	}
	for _, f := range r.floors {
		must(b.Set(pipelineKey(keyFloor, f.pipeline), appendFloor(f.floor), nil))
	}
	for _, m := range r.dropped {
		must(b.Delete(segmentKey(keyMarks, m.number, m.segment), nil))
		k.marks--
	}
	for _, w := range r.rewrite { // before those that go, which may be among them
		must(b.Set(segmentKey(keySegment, w.pipeline.number, w.segment.number), w.value, nil))
	}
	for i := range r.bitmaps {
		r.bitmaps[i].apply(b, k)
	}
	return b.Set(booksKey(), appendBooks(nil, *k), nil)
}

func (w *bitmapWrite) apply(b *pebble.Batch, k *books) {
	bitmap := segmentKey(keyBitmap, w.pipeline.number, w.segment.number)
	switch {
	case w.bits != nil:
		must(b.Set(bitmap, w.bits, nil))
		if !w.known {
			k.bitmaps++
		}
		return
	case w.known:
		must(b.Delete(bitmap, nil))
		k.bitmaps--
	}
	must(b.Delete(segmentKey(keySegment, w.pipeline.number, w.segment.number), nil))
	k.segments--
}

// must is for what fails only by a mistake in this package: writing to a batch
// that was not committed.
func must(err error) {
	if err != nil {
		panic("journal: " + err.Error())
	}
}

// done takes note of a round that was committed.
func (j *Journal) done(r *round) {
	j.mu.Lock()
	j.books = r.books
	for _, p := range r.names {
		p.named = true
	}
	for i := range r.bitmaps {
		r.bitmaps[i].bitmap = true
	}
	for _, w := range r.rewrite {
		j.resize(w.pipeline, w.segment, int64(len(w.value)))
	}
	for _, t := range r.tasks {
		if t.committed != nil {
			t.committed()
		}
	}
	j.wake()
	j.mu.Unlock()
	for _, t := range r.tasks {
		t.done <- nil
	}
}

// finish closes the store after the last commit.
func (j *Journal) finish() {
	err := j.generation().shutDown()
	if err == nil {
		err = j.seal()
	}
	j.end(err)
}

// watch tells the log when the journal gets full and when there is room again.
type watch struct {
	j    *Journal
	full bool
}

func (w *watch) look() {
	bytes, most := w.j.held(), w.j.o.MaxBytes
	if (bytes >= most) == w.full {
		return
	}
	w.full = !w.full
	if w.full {
		w.j.o.Logger.Warn("the journal is full: nothing is pulled until there is room",
			"dir", w.j.dir, "bytes", bytes, "max_bytes", most,
			"hint", "raise max_bytes, or purge dead letters: see relayhost journal stats")
		return
	}
	w.j.o.Logger.Info("the journal has room again", "dir", w.j.dir, "bytes", bytes, "max_bytes", most)
}
