package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// DamagedError is a store that cannot be read as it was written. It is left as
// it is.
type DamagedError struct {
	Dir string
	Err error
}

// Error says what is wrong and what to do.
func (e *DamagedError) Error() string {
	what, _, _ := strings.Cut(e.Err.Error(), "\n") // pebble says it twice
	return fmt.Sprintf("the journal in %s is damaged: %v\nhint: nothing was changed; relayhost journal check says what is there, "+
		"and relayhost journal check --set-aside saves what can be read and begins anew", e.Dir, what)
}

// Unwrap is what is wrong.
func (e *DamagedError) Unwrap() error { return e.Err }

// lockFolder makes the journal's folder and locks it.
func lockFolder(f vfs.FS, dir string) (io.Closer, error) {
	if err := makeFolder(f, dir); err != nil {
		return nil, fmt.Errorf("make the journal's folder: %w\nhint: give [journal] a dir that can be written to", err)
	}
	lock, err := f.Lock(f.PathJoin(dir, "lock"))
	if err == nil {
		return lock, nil
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok && errno != syscall.EAGAIN {
		return nil, fmt.Errorf("lock the journal in %s: %w", dir, err)
	}
	return nil, fmt.Errorf("%w: another process has %s open (%v)\nhint: one host at a time may use a journal: stop the other, "+
		"or give this one another [journal] dir", ErrInUse, dir, err)
}

// makeFolder makes a folder and those above it, durably.
func makeFolder(f vfs.FS, dir string) error {
	if _, err := f.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := f.PathDir(dir)
	if parent != dir && parent != "." {
		if err := makeFolder(f, parent); err != nil {
			return err
		}
	}
	if err := f.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return syncFolder(f, parent)
}

// The folders in a journal's.
const (
	storeName    = "store"
	freshName    = "store.new"      // a store that is being made
	salvagedName = "store.salvaged" // one that is complete and is to be the store
)

// createStore makes an empty store if there is none. It is there with all that
// belongs to it or not at all.
func createStore(dir string, o Options) error {
	store, fresh, saved := o.FS.PathJoin(dir, storeName), o.FS.PathJoin(dir, freshName), o.FS.PathJoin(dir, salvagedName)
	_, err := o.FS.Stat(store)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := o.FS.Stat(saved); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, moveFolder(o.FS, dir, saved, store))
	}
	if err := o.FS.RemoveAll(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := o.FS.MkdirAll(fresh, 0o700); err != nil {
		return err
	}
	if err := fillStore(fresh, o, func(b *pebble.Batch) error { return b.Set(booksKey(), appendBooks(nil, books{next: 1}), nil) }); err != nil {
		return fmt.Errorf("make a journal in %s: %w", dir, err)
	}
	return moveFolder(o.FS, dir, fresh, store)
}

// fillStore opens a store, applies a batch and closes it.
func fillStore(dir string, o Options, fill func(b *pebble.Batch) error) error {
	o.Fsync = Always
	g, err := openGeneration(o.FS, dir, o, false)
	if err != nil {
		return err
	}
	b := g.db.NewBatch()
	if err := fill(b); err != nil {
		return err
	}
	if err := g.commit(b); err != nil {
		g.giveUp()
		return err
	}
	return g.shutDown()
}

// moveFolder renames a folder in dir, durably.
func moveFolder(f vfs.FS, dir, from, to string) error {
	if err := f.Rename(from, to); err != nil {
		return err
	}
	return syncFolder(f, dir)
}

func syncFolder(f vfs.FS, dir string) error {
	d, err := f.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// inspect reads all of a store, and changes nothing in it.
func inspect(dir string, o Options) (*ledger, error) {
	torn, err := mayBeTorn(o.FS, dir)
	if err != nil {
		return nil, unreadable(dir, err)
	}
	o.torn = torn
	if !torn {
		if err := checkTail(o.FS, dir, o.Logger); err != nil {
			return nil, unreadable(dir, err)
		}
	}
	g, err := openGeneration(o.FS, dir, o, true)
	if err != nil {
		return nil, unreadable(dir, err)
	}
	c := newCensus()
	err = g.read(func(db *pebble.DB) error { return scan(db, nil, c.take) })
	if err == nil {
		err = c.balance()
	}
	if err == nil {
		err = checkSeal(o.FS, dir, c.books)
	}
	if err := errors.Join(err, g.shutDown()); err != nil {
		return nil, unreadable(dir, err)
	}
	return c.ledger, nil
}

// unreadable is a damage, unless the system did not let us read.
func unreadable(dir string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("read the journal: %w", err)
	}
	if f, ok := errors.AsType[*FaultError](err); ok && !f.Damaged {
		return fmt.Errorf("read the journal: %w", err)
	}
	return &DamagedError{Dir: dir, Err: err}
}

// scan calls f with each key that begins with prefix, in order. The value is
// valid during the call.
func scan(db *pebble.DB, prefix []byte, f func(k key, value []byte) error) error {
	return scanRange(db, prefix, after(prefix), f)
}

// after is the first key behind all that begin with prefix.
func after(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

func scanRange(db *pebble.DB, from, to []byte, f func(k key, value []byte) error) (err error) {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		k, known := parseKey(it.Key())
		if !known {
			return fmt.Errorf("a key that this relayhost does not know: %x", it.Key())
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if err := f(k, value); err != nil {
			return fmt.Errorf("%c %d/%d: %w", k.kind, k.pipeline, k.number, err)
		}
	}
	return it.Error()
}

// census counts what a store holds.
type census struct {
	*ledger
	numbers map[uint32]*pipeline
	bitmaps map[key][]byte // by the segment's key
	found   books
}

func newCensus() census {
	return census{ledger: newLedger(), numbers: map[uint32]*pipeline{}, bitmaps: map[key][]byte{}}
}

func (c *census) pipeline(number uint32) *pipeline {
	p := c.numbers[number]
	if p == nil {
		p = newPipeline(number, "")
		c.numbers[number] = p
	}
	return p
}

// take takes note of a key. Names come first, and bitmaps before
// segments.
func (c *census) take(k key, value []byte) (err error) {
	switch k.kind {
	case keyBooks:
		c.books, err = decodeBooks(value)
	case keyName:
		p := c.pipeline(k.pipeline)
		p.name, p.named = string(value), true
		c.pipelines[p.name] = p
	case keyFloor:
		p := c.pipeline(k.pipeline)
		p.floor, err = decodeFloor(value)
		p.hasFloor = true
	case keyBitmap:
		c.found.bitmaps++
		c.bitmaps[key{keySegment, k.pipeline, k.number}] = append([]byte(nil), value...)
	case keyMarks:
		err = c.marks(k, value)
	case keySegment:
		err = c.segment(k, value)
	case keyLetter:
		err = c.letter(value)
	}
	return err
}

func (c *census) marks(k key, value []byte) error {
	all, err := decodeMarks(value)
	if err != nil {
		return err
	}
	c.found.marks++
	m := marks{segment: k.number}
	for i, mark := range all {
		if i == 0 || mark.Position > m.highest {
			m.highest = mark.Position
		}
	}
	c.pipeline(k.pipeline).remember(m)
	return nil
}

func (c *census) segment(k key, value []byte) error {
	v, err := decodeSegment(value)
	if err != nil {
		return err
	}
	c.found.segments++
	bitmap, known := c.bitmaps[k]
	delete(c.bitmaps, k)
	if err := v.without(bitmap); err != nil {
		return err
	}
	s := newSegment(k.number, v, int64(len(value)))
	s.bitmap, s.stored = known, true
	p := c.pipeline(k.pipeline)
	c.add(p, s)
	p.recoverable = append(p.recoverable, s)
	return nil
}

// without leaves out what settled.
func (v *segmentValue) without(settled []byte) error {
	if settled == nil {
		return nil
	}
	if len(settled) != int(v.total+7)/8 {
		return fmt.Errorf("its bitmap has %d bytes for %d messages", len(settled), v.total)
	}
	open := v.messages[:0]
	for _, m := range v.messages {
		if i := m.Entry.Index; settled[i/8]&(1<<(i%8)) == 0 {
			open = append(open, m)
		}
	}
	v.messages = open
	return nil
}

func (c *census) letter(value []byte) error {
	d, err := decodeLetter(value)
	if err != nil {
		return err
	}
	c.found.letters++
	c.bytes += int64(len(value))
	p := c.pipelines[d.Pipeline]
	if p == nil {
		return fmt.Errorf("its pipeline %q is not known", d.Pipeline)
	}
	p.letters++
	return nil
}

// balance compares what was found with the books.
func (c *census) balance() error {
	c.next = c.books.next
	want := c.books
	want.commits, want.next = 0, 0
	if c.found != want {
		return fmt.Errorf("the books say %s, and there are %s", want, c.found)
	}
	if len(c.bitmaps) > 0 {
		return fmt.Errorf("%d bitmaps have no segment", len(c.bitmaps))
	}
	for number, p := range c.numbers {
		if !p.named {
			return fmt.Errorf("pipeline %d has no name", number)
		}
	}
	return nil
}

// String is the books for people.
func (k books) String() string {
	return fmt.Sprintf("%d pulls (%d settled in part), %d pulls remembered, %d dead letters", k.segments, k.bitmaps, k.marks, k.letters)
}
