package journal_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/relayhost/relayhost/host/journal"
	"github.com/relayhost/relayhost/host/message"
)

// faults makes the operations of a file system fail.
type faults struct {
	seen     atomic.Int64 // operations that change something
	from, to atomic.Int64 // those that fail
	errno    syscall.Errno
	hit      atomic.Bool
	last     atomic.Value // what failed, for a test's message
}

// MaybeError is for errorfs.
func (f *faults) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
		return nil
	}
	if n := f.seen.Add(1); n > f.from.Load() && n <= f.to.Load() {
		f.hit.Store(true)
		f.last.Store(fmt.Sprint(op.Kind, " ", op.Path))
		return &fsError{fmt.Sprint(op.Kind), op.Path, f.errno}
	}
	return nil
}

func (f *faults) String() string { return "faults" }

type fsError struct {
	op, path string
	errno    syscall.Errno
}

func (e *fsError) Error() string { return e.op + " " + e.path + ": " + e.errno.Error() }
func (e *fsError) Unwrap() error { return e.errno }

// arm makes n operations fail, the first after skip others.
func (f *faults) arm(skip, n int64) {
	from := f.seen.Load() + skip
	f.to.Store(from + n)
	f.from.Store(from)
}

func (f *faults) disarm() { f.to.Store(0) }

// model is what a journal should hold.
type model struct {
	mu        sync.Mutex
	unsettled map[string]bool
	letters   map[string]bool
}

// work uses a journal as a pipeline does, in two inboxes at once.
func work(t *testing.T, j *journal.Journal, m *model, tag string) {
	var wg sync.WaitGroup
	for _, name := range []string{"a", "b"} {
		in, err := j.Inbox(journal.InboxOptions{Pipeline: name, Remember: name == "b"})
		if err != nil {
			t.Error(err)
			return
		}
		rng := rand.New(rand.NewPCG(1, uint64(len(tag))))
		wg.Go(func() {
			defer in.Close()
			for pull := range 6 {
				pulled := events(pull*10+1, 10)
				for _, e := range pulled {
					e.ID = tag + name + e.ID
					for range 10 { // not to be compressed
						e.Event = strconv.AppendUint(e.Event, rng.Uint64(), 36)
					}
				}
				if err := in.Append(context.Background(), never, pulled); err != nil {
					t.Error(err)
					return
				}
				m.mu.Lock()
				for _, e := range pulled {
					m.unsettled[e.ID] = true
				}
				m.mu.Unlock()
				done := pulled
				if pull%2 == 1 {
					done = pulled[:6]
				}
				settle(in, failed("no"), done[0])
				settle(in, message.Outcome{}, done[1:]...)
				in.Forget(int64(pull * 10))
				m.mu.Lock()
				for n, e := range done {
					delete(m.unsettled, e.ID)
					if n == 0 {
						m.letters[e.ID] = true
					}
				}
				m.mu.Unlock()
			}
		})
	}
	wg.Wait()
}

func (m *model) check(j *journal.Journal) error {
	unsettled, dead, err := content(j)
	if err != nil {
		return err
	}
	if !maps.Equal(unsettled, m.unsettled) {
		return fmt.Errorf("unsettled %d, want %d: %v", len(unsettled), len(m.unsettled), slices.Sorted(maps.Keys(unsettled)))
	}
	if !maps.Equal(dead, m.letters) {
		return fmt.Errorf("dead letters %d, want %d", len(dead), len(m.letters))
	}
	return nil
}

// content is what an opened journal has, by the events' ids.
func content(j *journal.Journal) (unsettled, dead map[string]bool, err error) {
	unsettled, dead = map[string]bool{}, map[string]bool{}
	for _, name := range []string{"a", "b"} {
		in, err := j.Inbox(journal.InboxOptions{Pipeline: name})
		if err != nil {
			return nil, nil, err
		}
		for {
			messages, err := in.Recover(7)
			if err != nil {
				return nil, nil, err
			}
			if len(messages) == 0 {
				break
			}
			for _, m := range messages {
				if unsettled[m.ID] {
					return nil, nil, fmt.Errorf("%s was recovered twice", m.ID)
				}
				unsettled[m.ID] = true
			}
		}
		in.Close()
	}
	for d, err := range j.DeadLetters(journal.Filter{}) {
		if err != nil {
			return nil, nil, err
		}
		if dead[d.EventID] {
			return nil, nil, fmt.Errorf("%s is a dead letter twice", d.EventID)
		}
		dead[d.EventID] = true
	}
	return unsettled, dead, nil
}

// TestFaults lets each operation in turn fail, once and until it is noticed.
func TestFaults(t *testing.T) {
	if inChild(t) {
		return
	}
	steps, step := 120, 5
	if *thorough {
		steps, step = 200, 1
	}
	var wg sync.WaitGroup
	atOnce := make(chan struct{}, 32)
	for n := 0; n < steps; n += step {
		for _, c := range []struct {
			errno   syscall.Errno
			lasting bool
		}{{syscall.EIO, false}, {syscall.ENOSPC, true}, {syscall.EROFS, true}} {
			if c.errno == syscall.EROFS && n%4 != 0 {
				continue
			}
			atOnce <- struct{}{}
			wg.Go(func() {
				defer func() { <-atOnce }()
				if err := fault(t, c.errno, c.lasting, int64(n)); err != nil {
					t.Errorf("%v, lasting %v, operation %d: %v", c.errno, c.lasting, n, err)
				}
			})
		}
	}
	wg.Wait()
}

func fault(t *testing.T, errno syscall.Errno, lasting bool, n int64) error {
	f := &faults{errno: errno}
	o := journal.Options{FS: errorfs.Wrap(vfs.NewMem(), f)}
	j, err := journal.Open("j", o)
	if err != nil {
		return err
	}
	m := &model{unsettled: map[string]bool{}, letters: map[string]bool{}}
	work(t, j, m, "first-")
	length := int64(1)
	if lasting {
		length = 1 << 40
	}
	f.arm(n, length)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		work(t, j, m, "second-")
	}()
	for lasting && j.Stats().Err == nil && !closed(ended) {
		time.Sleep(time.Millisecond)
	}
	if lasting {
		time.Sleep(150 * time.Millisecond) // it is tried again meanwhile, in vain
	}
	f.disarm()
	<-ended
	if err := j.Close(); err != nil {
		return fmt.Errorf("close (failed: %v): %w", f.last.Load(), err)
	}
	j, err = journal.Open("j", o)
	if err != nil {
		return fmt.Errorf("open (failed: %v): %w", f.last.Load(), err)
	}
	return errors.Join(m.check(j), j.Close())
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
