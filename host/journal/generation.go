package journal

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// generation is the store from when it was opened to when it failed or was
// closed. Pebble does not survive an error of its disk: it calls Fatalf, panics,
// or tries for ever, holding what it holds. So whatever may block runs in a
// goroutine that is left behind when the fence closes, and a new generation is
// opened on the same files.
type generation struct {
	*fence
	db   *pebble.DB
	work chan *pebble.Batch
	done chan error

	// reading is held by readers, and by who closes the store.
	reading sync.RWMutex
	closed  bool
	stopped chan struct{} // closed when the goroutines are to end
	stop    sync.Once

	goroutines sync.WaitGroup
}

const cacheSize = 4 << 20

// memTable is how much the store gathers in memory, and in its log, before it
// writes a table. A pull above half of it goes to a table of its own.
var memTable uint64 = 16 << 20

// openGeneration opens the store in dir, which is there.
func openGeneration(fs vfs.FS, dir string, o Options, readOnly bool) (*generation, error) {
	g := &generation{
		fence: newFence(fs, o.Fsync), work: make(chan *pebble.Batch), done: make(chan error, 1), stopped: make(chan struct{}),
	}
	if o.torn {
		var err error
		if g.torn, err = lastLog(fs, dir); err != nil {
			return nil, err
		}
	}
	opened := make(chan error, 1)
	go func() { opened <- g.open(dir, readOnly) }()
	select {
	case err := <-opened:
		if err != nil {
			return nil, err
		}
	case <-g.failed:
		go g.abandon(opened)
		return nil, g.err()
	}
	if readOnly {
		return g, nil
	}
	g.running.Store(true)
	g.goroutines.Go(g.apply)
	if o.Fsync == Interval {
		g.goroutines.Go(func() { g.tick(o.Interval) })
	}
	return g, nil
}

// abandon closes the store if opening it succeeds after all.
func (g *generation) abandon(opened <-chan error) {
	if <-opened == nil {
		_ = g.close() // what it says is not news
	}
}

func (g *generation) open(dir string, readOnly bool) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("open %s: %v", dir, r)
		}
	}()
	g.db, err = pebble.Open(dir, &pebble.Options{
		FS: g.fence, Logger: g, ReadOnly: readOnly, ErrorIfNotExists: readOnly,
		FormatMajorVersion: pebble.FormatWALSyncChunks,
		MemTableSize:       memTable, CacheSize: cacheSize, MaxOpenFiles: 128,
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) { g.fail("keep", dir, err, pebble.IsCorruptionError(err)) },
			DataCorruption:  func(i pebble.DataCorruptionInfo) { g.fail("read", i.Path, i.Details, true) },
		},
	})
	return err
}

// Infof is pebble's talk.
func (g *generation) Infof(string, ...any) {}

// Errorf is pebble's trouble; what matters comes through the fence too.
func (g *generation) Errorf(string, ...any) {}

// Fatalf must not return. Where pebble calls it for a commit that failed, it
// holds nothing and the goroutine is ours: it ends. Any other goroutine is lost
// with the store.
func (g *generation) Fatalf(format string, args ...any) {
	g.fail("keep", "store", fmt.Errorf(format, args...), false)
	if strings.HasPrefix(format, "pebble: fatal commit error") {
		runtime.Goexit()
	}
	park()
}

// apply applies what commit hands over.
func (g *generation) apply() {
	for {
		select {
		case b := <-g.work:
			if g.err() == nil {
				g.done <- g.applyOne(b)
			}
		case <-g.stopped:
			return
		}
	}
}

func (g *generation) applyOne(b *pebble.Batch) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
			g.fail("write", "store", err, false)
		}
	}()
	return g.db.Apply(b, pebble.Sync)
}

// commit applies a batch. If it fails, the batch may be in the store or not.
func (g *generation) commit(b *pebble.Batch) error {
	select {
	case g.work <- b:
	case <-g.failed:
		return g.err()
	}
	select {
	case err := <-g.done:
		if err != nil {
			g.fail("write", "store", err, false)
		}
		return err
	case <-g.failed:
		return g.err()
	}
}

// tick syncs the log once an interval.
func (g *generation) tick(interval time.Duration) {
	t := time.NewTicker(interval)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			g.flush()
		case <-g.stopped:
			return
		}
	}
}

// read calls f with the store, unless it failed.
func (g *generation) read(f func(db *pebble.DB) error) (err error) {
	g.reading.RLock()
	defer g.reading.RUnlock()
	if g.closed {
		if err := g.err(); err != nil {
			return err
		}
		return ErrClosed
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
			g.fail("read", "store", err, true)
		}
	}()
	if err := f(g.db); err != nil {
		if pebble.IsCorruptionError(err) {
			g.fail("read", "store", err, true)
		}
		return err
	}
	return nil
}

// close closes the store; it may never return if the store failed.
func (g *generation) close() error {
	g.stop.Do(func() { close(g.stopped) })
	g.goroutines.Wait()
	g.reading.Lock()
	if g.closed {
		g.reading.Unlock()
		return nil
	}
	g.closed = true
	g.reading.Unlock()
	g.running.Store(false)
	return g.closeStore()
}

func (g *generation) closeStore() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.Join(g.err(), fmt.Errorf("%v", r))
		}
	}()
	return g.db.Close()
}

// shutDown closes the store, or leaves it behind if it fails, once nothing is
// written any more.
func (g *generation) shutDown() error {
	closed := make(chan error, 1)
	go func() { closed <- g.close() }()
	select {
	case err := <-closed:
		return cmp.Or(g.err(), err)
	case <-g.failed:
		g.shut("given up")
		return g.err()
	}
}

// giveUp waits for the last operation of a store that failed, and closes what can
// be closed of it.
func (g *generation) giveUp() {
	g.shut("given up")
	go func() { _ = g.close() }()
}
