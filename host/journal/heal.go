package journal

import (
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// How long a store that failed is left alone before it is tried again.
const (
	firstWait = 100 * time.Millisecond
	lastWait  = 10 * time.Second
	// wellAfter is how long a store works until its next failure is a new one:
	// each may leave some memory behind.
	wellAfter = time.Minute
)

// healing is what the committer knows of earlier failures.
type healing struct {
	wait   time.Duration // before the store was opened last
	healed time.Time
}

// first is how long the first wait is.
func (h *healing) first() time.Duration {
	if h.wait == 0 || time.Since(h.healed) > wellAfter {
		return firstWait
	}
	return min(2*h.wait, lastWait)
}

// heal opens the store anew after it failed, however long that takes. It reports
// false if the journal was closed first; then the journal has ended.
func (j *Journal) heal() bool {
	g := j.generation()
	cause := g.err()
	j.setTrouble(cause)
	j.o.Logger.Error("the journal cannot be used: nothing is pulled until it can", "dir", j.dir, "error", cause)
	g.giveUp()
	began := time.Now()
	for wait := j.healing.first(); ; wait = min(2*wait, lastWait) {
		closing := j.pause(wait)
		err := j.reopen(cause)
		if err == nil {
			j.healing = healing{wait, time.Now()}
			j.o.Logger.Info("the journal can be used again", "dir", j.dir, "after", time.Since(began))
			return true
		}
		if closing {
			j.end(fmt.Errorf("close the journal: %w", errors.Join(cause, err)))
			return false
		}
	}
}

// pause waits, and reports whether the journal is to be closed.
func (j *Journal) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return false
	case <-j.closing:
		return true
	}
}

// setTrouble says why the store cannot be used, nil if it can.
func (j *Journal) setTrouble(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.trouble = err
	j.wake()
}

// reopen opens the store and makes sure that it has every commit that succeeded.
func (j *Journal) reopen(cause error) error {
	if err := j.probe(); err != nil {
		return err
	}
	if f, ok := errors.AsType[*FaultError](cause); ok && f.Damaged {
		if _, err := inspect(j.storeDir(), j.o); err != nil {
			return err
		}
	}
	g, err := openGeneration(j.o.FS, j.storeDir(), j.o, false)
	if err != nil {
		return err
	}
	if err := j.checkBooks(g); err != nil {
		g.giveUp()
		return err
	}
	if !j.resume(g) {
		g.giveUp()
		return ErrClosed
	}
	return nil
}

// resume goes on with a store that was opened anew, unless the journal was closed
// meanwhile because the disk hung.
func (j *Journal) resume(g *generation) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return false
	}
	j.store, j.trouble = g, nil
	for _, p := range j.pipelines {
		if len(p.recoverable) > 0 {
			p.notify()
		}
	}
	j.wake()
	return true
}

// checkBooks makes sure that the store has the last commit, or the one after it,
// of which it was not known.
func (j *Journal) checkBooks(g *generation) error {
	var found books
	err := g.read(func(db *pebble.DB) error {
		value, err := get(db, booksKey())
		if err != nil {
			return err
		}
		found, err = decodeBooks(value)
		return err
	})
	if err == nil && found.commits != j.books.commits && found.commits != j.books.commits+1 {
		err = fmt.Errorf("it holds commit %d, and commit %d was made", found.commits, j.books.commits)
	}
	if err != nil {
		return &DamagedError{Dir: j.storeDir(), Err: err}
	}
	return nil
}

// probeBytes is what has to fit on a disk before it is trusted again.
const probeBytes = 1 << 20

// probe sees whether the disk takes anything.
func (j *Journal) probe() error {
	path := j.o.FS.PathJoin(j.dir, "probe")
	if err := writeFile(j.o.FS, path, make([]byte, probeBytes)); err != nil {
		return err
	}
	return j.o.FS.Remove(path)
}
